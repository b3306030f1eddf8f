"""A socket of CXone's -> its raw topic, byte for byte.

At-least-once from the moment a frame is read: it is kept until Kafka has acknowledged it. Ordered per key. A frame that
is no JSON object goes to the dead letters, and the socket lives on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Self

import structlog
from pydantic import SecretStr

from connectors.cxone.connection import Policy
from connectors.cxone.dialect import Analytics, Interactions, Messaging
from connectors.cxone.oauth import Credentials
from connectors.cxone.websocket import Opening
from connectors.http.proxies import Proxies
from connectors.ingress.inbox import Inbox
from connectors.ingress.raw_record import Feed, outgoing
from connectors.ingress.subscription import Subscription
from connectors.kafka.publisher import Publisher
from connectors.settings import CxoneSettings
from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE
from schemas.topics import DEAD_LETTERS

Begin = Callable[[SecretStr], Opening]


@dataclass(frozen=True, slots=True)
class Source:
    """A socket, as the program needs it that opens it: how to get a token and begin, and what its frames are.

    Where it names a `subscription`, that has to be obtained before a socket opens.
    """

    feed: Feed
    credentials: Credentials
    begin: Begin
    policy: Policy
    subscription: Subscription | None = None

    @classmethod
    def of(
        cls,
        section: Interactions | Messaging | Analytics,
        settings: CxoneSettings,
        begin: Begin,
        feed: Feed,
        subscription: Subscription | None = None,
    ) -> Self:
        """Put a section of the dialect and the settings together.

        Raises ConfigurationError naming what is not set, or the variable with a proxy that cannot be used.
        """
        Proxies().of(section.socket_url(settings))
        credentials = Credentials(
            token_url=section.token_url(settings),
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            scope=section.oauth.scope,
            renew_before=section.oauth.renew_before,
        )
        policy = Policy(
            ping_interval=section.socket.ping_interval,
            pong_timeout=section.socket.pong_timeout,
            max_frame_bytes=section.socket.max_frame_bytes,
            open_timeout=section.socket.open_timeout,
            red_after=section.socket.red_after,
        )
        return cls(feed, credentials, begin, policy, subscription)


async def forward(inbox: Inbox, publisher: Publisher, feed: Feed) -> None:
    """Publish what arrives, for ever, a batch at a time: one acknowledgement is awaited for all frames of a batch.

    Raises PublishError; the frames of that batch are still undelivered then.
    """
    metrics, log = feed.metrics, structlog.get_logger().bind(connector=feed.connector)
    while True:
        frames = await inbox.take()
        records = [outgoing(frame, feed) for frame in frames]
        await publisher.publish(records)
        inbox.done(frames)
        metrics.published.inc(len(frames))
        refused = [dict(record.headers) for record in records if record.topic == DEAD_LETTERS.name]
        for headers in refused:
            metrics.dead.labels(headers[DEAD_REASON].decode()).inc()
        if refused:
            log.warning("frames refused", number=len(refused), first=refused[0][DEAD_SOURCE].decode())


async def connect(  # noqa: PLR0913 - where frames come from and go to, and when that ends
    listen: Callable[[], Coroutine[None, None, None]],
    inbox: Inbox,
    publisher: Publisher,
    feed: Feed,
    *,
    stop: asyncio.Event,
    flush_within: float = 20.0,
) -> int:
    """Run until `stop` is set; return how many frames that were read could not be delivered.

    `listen` puts frames into `inbox` until it is cancelled, when it closes its socket. The end takes `flush_within`
    seconds at most. Raises what ended the connector otherwise: AuthorizationError or PublishError.
    """
    feed.metrics.in_flight.set_function(lambda: inbox.undelivered)
    listening = asyncio.create_task(listen())
    forwarding = asyncio.create_task(forward(inbox, publisher, feed))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({listening, forwarding, stopping}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    flushing = asyncio.create_task(_flush(listening, inbox))
    await asyncio.wait({flushing, forwarding}, timeout=flush_within, return_when=asyncio.FIRST_COMPLETED)
    tasks = (listening, forwarding, stopping, flushing)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return inbox.undelivered


async def _flush(listening: asyncio.Task[None], inbox: Inbox) -> None:
    await asyncio.wait({listening})
    await inbox.emptied()
