"""`cxone-streams connect`: CXone's sockets -> Kafka."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from connectors.settings import CxoneSettings, KafkaSettings
    from streams.settings import WorkerSettings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def connect() -> None:
    """Bring CXone's events onto Kafka, byte for byte."""


@app.command()
def interactions() -> None:
    """Write every frame of CXone's interaction events to cxone.raw.interactions.

    Runs until SIGTERM or Ctrl-C and reconnects for as long as it takes. Prints one line of JSON when it is connected
    and subscribed. Settings come from the environment or .env: see .env.example.

    Exit status: 0 stopped, everything delivered; 1 frames were not delivered, or Kafka does not answer; 2 a setting is
    wrong, or CXone refuses the credentials.
    """
    import asyncio

    import uvloop

    from connectors import logs
    from connectors.errors import AuthorizationError, ConfigurationError, ConnectorError
    from connectors.settings import CxoneSettings, KafkaSettings, load
    from streams.settings import WorkerSettings

    try:
        cxone, kafka, worker = load(CxoneSettings), load(KafkaSettings), load(WorkerSettings)
        logs.configure(secrets=[cxone.client_secret, *([kafka.sasl_password] if kafka.sasl_password else [])])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            undelivered = runner.run(_interactions(cxone, kafka, worker))
    except (AuthorizationError, ConfigurationError) as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
    except ConnectorError as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(1) from None
    if undelivered:
        typer.echo(f"{undelivered} frames that were read could not be delivered to Kafka.", err=True)
        raise typer.Exit(1)


async def _interactions(cxone: "CxoneSettings", kafka: "KafkaSettings", worker: "WorkerSettings") -> int:
    import asyncio
    import json
    import signal

    import httpx
    import structlog

    from connectors.connection import Policy
    from connectors.dialect import load
    from connectors.interactions import CONNECTOR, STAGE, Inbox, connect, opening
    from connectors.oauth import Credentials, TokenSource
    from connectors.publisher import KafkaPublisher
    from connectors.topic_admin import ensure_topics
    from connectors.websocket import Socket
    from schemas.topics import DEAD_LETTERS, RAW_INTERACTIONS
    from streams.health import HealthServer

    structlog.contextvars.bind_contextvars(connector=CONNECTOR)  # for lines of libraries and shared adapters, too
    dialect = load(cxone.dialect).interactions
    credentials = Credentials(
        token_url=dialect.token_url(cxone),
        client_id=cxone.client_id,
        client_secret=cxone.client_secret,
        scope=dialect.oauth.scope,
        renew_before=dialect.oauth.renew_before,
    )
    begin = opening(dialect.socket_url(cxone), dialect.socket)
    policy = Policy(
        ping_interval=dialect.socket.ping_interval,
        pong_timeout=dialect.socket.pong_timeout,
        max_frame_bytes=dialect.socket.max_frame_bytes,
    )
    topics = (RAW_INTERACTIONS, DEAD_LETTERS)
    await asyncio.to_thread(ensure_topics, kafka, topics)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    inbox, connected = Inbox(), asyncio.Event()
    publisher = KafkaPublisher(kafka.librdkafka())
    async with httpx.AsyncClient(timeout=10) as client:
        tokens = TokenSource(credentials, client)
        socket = Socket(CONNECTOR, begin, tokens, inbox.put, policy, opened=connected.set)
        health = HealthServer([socket], worker.http_host, worker.http_port)
        address = await health.start()

        async def announce() -> None:
            await connected.wait()
            typer.echo(json.dumps({"ready": [STAGE], "http": address}))

        announcing = asyncio.create_task(announce())
        try:
            return await connect(socket.run, inbox, publisher, dialect.fields.interaction(), stop=stop)
        finally:
            announcing.cancel()
            await health.stop()
            await tokens.close()
            await publisher.close()
