"""A connector process: one of CXone's sockets -> its raw topic, until SIGTERM, SIGINT or a refusal."""

import asyncio

import structlog

from connectors.cxone.oauth import TokenSource
from connectors.cxone.websocket import Socket
from connectors.http.exchange import Exchange
from connectors.http.transport import Transport
from connectors.ingress.inbox import Inbox
from connectors.ingress.relay import Source, connect
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.topic_admin import ensure_topics
from connectors.settings import KafkaSettings
from schemas.topics import DEAD_LETTERS
from streams.programs.health import HealthServer
from streams.programs.lifecycle import on_signal, say_ready
from streams.runtime.settings import WorkerSettings

TOKEN_TIMEOUT = 10.0  # seconds for one answer of the token server


async def run(source: Source, kafka: KafkaSettings, worker: WorkerSettings) -> int:
    """Relay frames of `source` until a signal comes. Returns how many that were read could not be delivered.

    Prints the ready line when the socket is open for the first time. Raises ConnectorError.
    """
    feed = source.feed
    structlog.contextvars.bind_contextvars(connector=feed.connector)  # for lines of libraries and shared adapters, too
    await asyncio.to_thread(ensure_topics, kafka, (feed.topic, DEAD_LETTERS))

    stop = asyncio.Event()
    on_signal(stop.set)
    inbox, connected = Inbox(feed.metrics), asyncio.Event()
    publisher = KafkaPublisher(kafka.librdkafka())
    exchange = Exchange("the token server", Transport(source.credentials.token_url), timeout=TOKEN_TIMEOUT)
    tokens = TokenSource(source.credentials, exchange)
    socket = Socket(feed.connector, source.begin, tokens, inbox.put, source.policy, opened=connected.set)
    health = HealthServer([socket], worker.http_host, worker.http_port)
    address = await health.start()

    async def announce() -> None:
        await connected.wait()
        say_ready([feed.stage], address)

    announcing = asyncio.create_task(announce())
    try:
        return await connect(socket.run, inbox, publisher, feed, stop=stop)
    finally:
        announcing.cancel()
        await health.stop()
        await tokens.close()
        await exchange.close()
        await publisher.close()
