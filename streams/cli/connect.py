"""`cxone-streams connect`: CXone's sockets and webhooks -> Kafka."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from connectors.ingress.relay import Source
    from connectors.settings import CxoneSettings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def connect() -> None:
    """Bring CXone's events onto Kafka, byte for byte.

    Each runs until SIGTERM or Ctrl-C and reconnects for as long as it takes. It prints one line of JSON when it is
    connected. Settings come from the environment or .env: see .env.example.

    Exit status: 0 stopped, everything delivered; 1 frames were not delivered, or Kafka does not answer; 2 a setting is
    wrong, or CXone refuses the credentials.
    """


@app.command()
def interactions() -> None:
    """Write every frame of CXone's interaction events to cxone.raw.interactions."""
    from connectors.ingress.interactions import source

    _run(source)


@app.command()
def messaging() -> None:
    """Write every frame of CXone's web messaging to cxone.raw.messages."""
    from connectors.ingress.messaging import source

    _run(source)


@app.command()
def webhooks() -> None:
    """Take CXone's webhooks and write them to cxone.raw.webhooks; a 200 says that Kafka has committed them.

    POST /webhook/cxone-data-action and /webhook/cxone-dashboard on WEBHOOKS_HOST:WEBHOOKS_PORT, from callers that know
    one of CXONE_WEBHOOK_SECRETS. /docs says how, /readyz whether Kafka takes what comes. Requests that wait share one
    transaction. Give each of several doors a name of its own: WEBHOOKS_INSTANCE.
    """
    import asyncio

    import uvloop

    from connectors.cxone import dialect
    from connectors.ingress.webhooks.settings import WebhookSecrets, WebhookSettings
    from connectors.settings import DialectSettings, KafkaSettings, load
    from streams.cli.ending import ended
    from streams.programs.lifecycle import log_to_stderr
    from streams.programs.webhooks import run

    with ended():
        settings, secrets, kafka = load(WebhookSettings), load(WebhookSecrets), load(KafkaSettings)
        callers = secrets.callers(settings.verify)
        actions = dialect.load(load(DialectSettings).dialect).actions
        log_to_stderr(*secrets.hidden())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, callers, actions, kafka))


@app.command()
def analytics() -> None:
    """Subscribe to CXone's analytics events and write every frame to cxone.raw.analytics.

    The subscription is asked for once and remembered in cxone.subscriptions. Another one is made when CXone has
    forgotten it, or when the dialect asks for something else.
    """
    from connectors.ingress.analytics import source

    _run(source)


def _run(source_of: Callable[["CxoneSettings"], "Source"]) -> None:
    import asyncio

    import uvloop

    from connectors.settings import CxoneSettings, KafkaSettings, load
    from streams.cli.ending import ended
    from streams.programs.connector import run
    from streams.programs.lifecycle import Ended, Exit, log_to_stderr
    from streams.runtime.settings import WorkerSettings

    with ended():
        cxone, kafka, worker = load(CxoneSettings), load(KafkaSettings), load(WorkerSettings)
        log_to_stderr()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            undelivered = runner.run(run(source_of(cxone), kafka, worker))
        if undelivered:
            raise Ended(Exit.FAILED, f"{undelivered} frames that were read could not be delivered to Kafka.")
