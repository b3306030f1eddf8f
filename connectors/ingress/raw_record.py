"""What a socket brings -> what goes to Kafka: the raw bytes under a key, or a dead letter. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from connectors.cxone.connection import Frame
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE, DEAD_TRUNCATED
from schemas.envelope import RECEIVED_AT, SOURCE, Headers, Outgoing
from schemas.frame_fields import Paths, identity
from schemas.json_limits import Unreadable, read
from schemas.topics import DEAD_LETTERS, TopicSpec

# A frame above this could be more than a broker takes with its default limits once key and headers are added.
LARGEST_FRAME = 900_000

NOT_AN_OBJECT = "not a JSON object"
TOO_LARGE = "too large"


class Metrics:
    """The figures of one connector, each under its name. Made once in a process."""

    def __init__(self, connector: str) -> None:
        prefix = f"cxone_{connector}"
        self.received = Counter(f"{prefix}_received", "Frames read from the socket.")
        self.published = Counter(f"{prefix}_published", "Frames acknowledged by Kafka, dead letters included.")
        self.dead = Counter(f"{prefix}_dead", "Frames sent to the dead letters.", ["reason"])
        self.in_flight = Gauge(f"{prefix}_in_flight", "Frames read and not yet acknowledged by Kafka.")


@dataclass(frozen=True, slots=True)
class Feed:
    """The frames of one connector. Their key is what `key` finds, or else the event id."""

    connector: str
    topic: TopicSpec
    metrics: Metrics
    key: Callable[[Mapping[str, object]], str | None]
    event_id: Paths

    @property
    def stage(self) -> str:
        return f"connect {self.connector}"


def outgoing(frame: Frame, feed: Feed) -> Outgoing:
    """Return the record of a frame: the raw bytes under the feed's key, or a dead letter."""
    headers: Headers = (
        (SOURCE, f"{feed.connector}:{frame.connection_id}".encode()),
        (RECEIVED_AT, str(frame.received_at).encode()),
    )
    if len(frame.data) > LARGEST_FRAME:
        return _dead(frame, headers, feed.stage, TOO_LARGE, f"{len(frame.data)} bytes are more than {LARGEST_FRAME}")
    content = read(frame.data)
    if isinstance(content, Unreadable):
        return _dead(frame, headers, feed.stage, content.reason, content.detail)
    if not isinstance(content, dict):
        return _dead(frame, headers, feed.stage, NOT_AN_OBJECT, f"the frame is a JSON {type(content).__name__}")
    key = feed.key(content) or identity(content, feed.event_id)
    return Outgoing(feed.topic.name, None if key is None else key.encode(), frame.data, headers)


def _dead(frame: Frame, headers: Headers, stage: str, reason: str, detail: str) -> Outgoing:
    truncated: Headers = ()
    if len(frame.data) > LARGEST_FRAME:
        truncated = ((DEAD_TRUNCATED, str(len(frame.data)).encode()),)
    why = (
        (DEAD_STAGE, stage.encode()),
        (DEAD_REASON, reason.encode()),
        (DEAD_DETAIL, detail.encode()),
        (DEAD_SOURCE, f"socket:{frame.connection_id}:{frame.number}".encode()),
    )
    return Outgoing(DEAD_LETTERS.name, None, frame.data[:LARGEST_FRAME], (*headers, *why, *truncated))
