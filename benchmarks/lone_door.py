"""The door with a transaction for each request: what `benchmarks.webhooks` compares the real one with."""

import asyncio

import uvloop

from connectors.cxone import dialect
from connectors.ingress.webhooks.settings import WebhookSecrets, WebhookSettings
from connectors.settings import KafkaSettings, load
from streams.programs.webhooks import run


def main() -> None:
    settings = load(WebhookSettings)
    callers = load(WebhookSecrets).callers(settings.verify)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings, callers, dialect.load("v2").actions, load(KafkaSettings), sharing=1))


if __name__ == "__main__":
    main()
