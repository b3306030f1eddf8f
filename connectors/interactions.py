"""CXone's events socket -> cxone.raw.interactions, byte for byte.

At-least-once from the moment a frame is read: it is kept until Kafka has acknowledged it. Ordered per interaction id.
A frame that is no JSON object goes to the dead letters, and the socket lives on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
import structlog
from prometheus_client import Counter, Gauge
from pydantic import SecretStr

from connectors.connection import Frame
from connectors.dialect import EventSocket
from connectors.publisher import Publisher
from connectors.websocket import Opening
from schemas.dialect import InteractionFields, identity
from schemas.records import (
    CONNECTION_ID,
    DEAD_DETAIL,
    DEAD_REASON,
    DEAD_SOURCE,
    DEAD_STAGE,
    DEAD_TRUNCATED,
    EVENT_ID,
    RECEIVED_AT,
    SOURCE,
    Headers,
    Outgoing,
)
from schemas.topics import DEAD_LETTERS, RAW_INTERACTIONS

CONNECTOR = "interactions"
STAGE = "connect interactions"

# A frame above this could be more than a broker takes with its default limits once key and headers are added.
LARGEST_FRAME = 900_000

NOT_JSON = "not JSON"
NOT_AN_OBJECT = "not a JSON object"
TOO_LARGE = "too large"

log = structlog.get_logger().bind(connector=CONNECTOR)

RECEIVED = Counter("cxone_interactions_received", "Frames read from the socket.")
PUBLISHED = Counter("cxone_interactions_published", "Frames acknowledged by Kafka, dead letters included.")
DEAD = Counter("cxone_interactions_dead", "Frames sent to the dead letters.", ["reason"])
IN_FLIGHT = Gauge("cxone_interactions_in_flight", "Frames read and not yet acknowledged by Kafka.")


class Inbox:
    """Frames that are read and not yet acknowledged: bounded in number and bytes, so that a slow Kafka slows reading.

    The last frame may exceed `max_bytes` by its own length.
    """

    def __init__(self, *, max_frames: int = 5_000, max_bytes: int = 16 * 2**20) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: list[Frame] = []
        self._held = 0  # frames admitted and not done
        self._bytes = 0
        self._undelivered = 0  # as `_held`, and those who wait to be admitted
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def undelivered(self) -> int:
        """How many frames were read and not acknowledged."""
        return self._undelivered

    async def put(self, frame: Frame) -> None:
        """Take a frame, as soon as there is room."""
        RECEIVED.inc()
        self._undelivered += 1
        while self._held >= self._max_frames or self._bytes >= self._max_bytes:
            self._changed.clear()
            await self._changed.wait()
        self._held += 1
        self._bytes += len(frame.data)
        self._frames.append(frame)
        self._arrived.set()

    async def take(self) -> list[Frame]:
        """Return everything that has arrived, waiting for the first frame. It keeps its room until it is `done`."""
        await self._arrived.wait()
        self._arrived.clear()
        frames, self._frames = self._frames, []
        return frames

    def done(self, frames: Sequence[Frame]) -> None:
        """Let go of acknowledged frames."""
        self._held -= len(frames)
        self._bytes -= sum(len(frame.data) for frame in frames)
        self._undelivered -= len(frames)
        self._changed.set()

    async def emptied(self) -> None:
        """Return when everything that was read is acknowledged."""
        while self._undelivered:
            self._changed.clear()
            await self._changed.wait()


def outgoing(frame: Frame, fields: InteractionFields) -> Outgoing:
    """Return the record of a frame: the raw bytes under the interaction's id, or a dead letter."""
    headers: Headers = (
        (SOURCE, CONNECTOR.encode()),
        (RECEIVED_AT, str(frame.received_at).encode()),
        (CONNECTION_ID, frame.connection_id.encode()),
    )
    try:
        content = orjson.loads(frame.data)
    except orjson.JSONDecodeError as error:
        return _dead(frame, headers, NOT_JSON, str(error))
    if not isinstance(content, dict):
        return _dead(frame, headers, NOT_AN_OBJECT, f"the frame is a JSON {type(content).__name__}")
    if len(frame.data) > LARGEST_FRAME:
        return _dead(frame, headers, TOO_LARGE, f"{len(frame.data)} bytes are more than {LARGEST_FRAME}")
    event_id = identity(content, fields.event_id)
    key = identity(content, fields.interaction_id) or event_id
    if event_id is not None:
        headers = (*headers, (EVENT_ID, event_id.encode()))
    return Outgoing(RAW_INTERACTIONS.name, None if key is None else key.encode(), frame.data, headers)


def _dead(frame: Frame, headers: Headers, reason: str, detail: str) -> Outgoing:
    truncated: Headers = ()
    if len(frame.data) > LARGEST_FRAME:
        truncated = ((DEAD_TRUNCATED, str(len(frame.data)).encode()),)
    why = (
        (DEAD_STAGE, STAGE.encode()),
        (DEAD_REASON, reason.encode()),
        (DEAD_DETAIL, detail.encode()),
        (DEAD_SOURCE, f"socket:{frame.connection_id}:{frame.number}".encode()),
    )
    return Outgoing(DEAD_LETTERS.name, None, frame.data[:LARGEST_FRAME], (*headers, *why, *truncated))


async def forward(inbox: Inbox, publisher: Publisher, fields: InteractionFields) -> None:
    """Publish what arrives, for ever, a batch at a time: one acknowledgement is awaited for all frames of a batch.

    Raises PublishError; the frames of that batch are still undelivered then.
    """
    while True:
        frames = await inbox.take()
        records = [outgoing(frame, fields) for frame in frames]
        await publisher.publish(records)
        inbox.done(frames)
        PUBLISHED.inc(len(frames))
        refused = [dict(record.headers) for record in records if record.topic == DEAD_LETTERS.name]
        for headers in refused:
            DEAD.labels(headers[DEAD_REASON].decode()).inc()
        if refused:
            log.warning("frames refused", number=len(refused), first=refused[0][DEAD_SOURCE].decode())


async def connect(  # noqa: PLR0913 - where frames come from and go to, and when that ends
    listen: Callable[[], Coroutine[None, None, None]],
    inbox: Inbox,
    publisher: Publisher,
    fields: InteractionFields,
    *,
    stop: asyncio.Event,
    flush_within: float = 20.0,
) -> int:
    """Run until `stop` is set; return how many frames that were read could not be delivered.

    `listen` puts frames into `inbox` until it is cancelled, when it closes its socket. The end takes `flush_within`
    seconds at most. Raises what ended the connector otherwise: AuthorizationError or PublishError.
    """
    IN_FLIGHT.set_function(lambda: inbox.undelivered)
    listening = asyncio.create_task(listen())
    forwarding = asyncio.create_task(forward(inbox, publisher, fields))
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


def opening(url: str, dialect: EventSocket) -> Callable[[SecretStr], Opening]:
    """Return how the events socket begins: the token in the query, and the subscription."""
    parts = urlsplit(url)

    def begin(token: SecretStr) -> Opening:
        query = [*parse_qsl(parts.query, keep_blank_values=True), (dialect.token_parameter, token.get_secret_value())]
        return Opening(urlunsplit(parts._replace(query=urlencode(query))), messages=(dialect.hello,))

    return begin
