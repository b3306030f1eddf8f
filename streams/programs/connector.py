"""A connector process: one of CXone's sockets -> its raw topic, until SIGTERM, SIGINT or a refusal."""

import asyncio

import structlog

from connectors.cxone.event_subscriptions import EventSubscriptions
from connectors.cxone.oauth import TokenSource
from connectors.cxone.websocket import Socket, Tokens
from connectors.http.exchange import Exchange
from connectors.http.transport import Transport
from connectors.ingress.inbox import Inbox
from connectors.ingress.relay import Source, connect
from connectors.ingress.subscription import Subscribed
from connectors.kafka.key_history import KeyHistory
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.topic_admin import ensure_topics
from connectors.settings import KafkaSettings
from schemas.topics import DEAD_LETTERS, SUBSCRIPTIONS
from streams.programs.figures import Figures
from streams.programs.health import HealthServer
from streams.programs.lifecycle import on_signal, say_ready
from streams.runtime.settings import WorkerSettings
from streams.topology import CONNECTORS

TOKEN_TIMEOUT = 10.0  # seconds for one answer of the token server, and of the API of subscriptions


async def run(source: Source, kafka: KafkaSettings, worker: WorkerSettings) -> int:
    """Relay frames of `source` until a signal comes. Returns how many that were read could not be delivered.

    Prints the ready line when the socket is open for the first time. Raises ConnectorError.
    """
    feed = source.feed
    structlog.contextvars.bind_contextvars(connector=feed.connector)  # for lines of libraries and shared adapters, too
    await asyncio.to_thread(ensure_topics, kafka, (*CONNECTORS[feed.connector], DEAD_LETTERS))

    stop = asyncio.Event()
    on_signal(stop.set)
    inbox, connected = Inbox(feed.metrics), asyncio.Event()
    publisher = KafkaPublisher(kafka.lingering())
    exchange = Exchange("the token server", Transport(source.credentials.token_url), timeout=TOKEN_TIMEOUT)
    tokens = TokenSource(source.credentials, exchange)
    access, more = _access(source, tokens, kafka, publisher)
    exchanges = (exchange, *more)
    socket = Socket(feed.connector, source.begin, access, inbox.put, source.policy, opened=connected.set)
    health = HealthServer([socket], worker.http_host, worker.http_port, Figures({feed.stage: socket}, {}))
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
        for each in exchanges:
            await each.close()
        await publisher.close()


def _access(
    source: Source, tokens: TokenSource, kafka: KafkaSettings, publisher: KafkaPublisher
) -> tuple[Tokens, tuple[Exchange, ...]]:
    """Return where the socket's tokens come from, and what has to be closed.

    Where the socket names a subscription, there is one first.
    """
    subscription = source.subscription
    if subscription is None:
        return tokens, ()
    url = subscription.wanted.url
    exchange = Exchange("CXone's API of event subscriptions", Transport(url), timeout=TOKEN_TIMEOUT)
    memory = KeyHistory(kafka.librdkafka(), SUBSCRIPTIONS, subscription.key, publisher)
    return Subscribed(tokens, subscription, EventSubscriptions(subscription.wanted, exchange, tokens), memory), (
        exchange,
    )
