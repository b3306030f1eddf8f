"""`cxone-streams connect`: CXone's sockets -> Kafka."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from connectors.relay import Source
    from connectors.settings import CxoneSettings, KafkaSettings
    from streams.settings import WorkerSettings

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
    from connectors.interactions import source

    _run(source)


@app.command()
def messaging() -> None:
    """Write every frame of CXone's web messaging to cxone.raw.messages."""
    from connectors.messaging import source

    _run(source)


def _run(source_of: Callable[["CxoneSettings"], "Source"]) -> None:
    import asyncio

    import uvloop

    from connectors import logs
    from connectors.errors import AuthorizationError, ConfigurationError, ConnectorError
    from connectors.settings import CxoneSettings, KafkaSettings, LogSettings, load
    from streams.settings import WorkerSettings

    try:
        cxone, kafka, worker = load(CxoneSettings), load(KafkaSettings), load(WorkerSettings)
        secrets = [cxone.client_secret, *([kafka.sasl_password] if kafka.sasl_password else [])]
        logs.configure(level=load(LogSettings).level, secrets=secrets)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            undelivered = runner.run(_connect(source_of(cxone), kafka, worker))
    except (AuthorizationError, ConfigurationError) as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
    except ConnectorError as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(1) from None
    if undelivered:
        typer.echo(f"{undelivered} frames that were read could not be delivered to Kafka.", err=True)
        raise typer.Exit(1)


async def _connect(source: "Source", kafka: "KafkaSettings", worker: "WorkerSettings") -> int:
    import asyncio
    import json
    import signal

    import httpx
    import structlog

    from connectors.oauth import TokenSource
    from connectors.publisher import KafkaPublisher
    from connectors.relay import Inbox, connect
    from connectors.topic_admin import ensure_topics
    from connectors.websocket import Socket
    from schemas.topics import DEAD_LETTERS
    from streams.health import HealthServer

    feed = source.feed
    structlog.contextvars.bind_contextvars(connector=feed.connector)  # for lines of libraries and shared adapters, too
    await asyncio.to_thread(ensure_topics, kafka, (feed.topic, DEAD_LETTERS))

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    inbox, connected = Inbox(feed.metrics), asyncio.Event()
    publisher = KafkaPublisher(kafka.librdkafka())
    async with httpx.AsyncClient(timeout=10) as client:
        tokens = TokenSource(source.credentials, client)
        socket = Socket(feed.connector, source.begin, tokens, inbox.put, source.policy, opened=connected.set)
        health = HealthServer([socket], worker.http_host, worker.http_port)
        address = await health.start()

        async def announce() -> None:
            await connected.wait()
            typer.echo(json.dumps({"ready": [feed.stage], "http": address}))

        announcing = asyncio.create_task(announce())
        try:
            return await connect(socket.run, inbox, publisher, feed, stop=stop)
        finally:
            announcing.cancel()
            await health.stop()
            await tokens.close()
            await publisher.close()
