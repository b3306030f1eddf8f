"""What is around a record on a topic: its headers, and the records themselves as read and as published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

# Headers (names are part of the contract with consumers of our topics)
# "<partition>:<offset>" of what a record came from: of the raw frame, and behind the rate limit of the guest message
SOURCE_POSITION = "cxone-source-position"
EVENT_ID = "cxone-event-id"
LOG_TIME = "cxone-log-time"  # milliseconds since the epoch, as decimal text: what events are too late by
# Name of the stage that a frame is replayed for. It stands before the position, and others pass over its records
REPLAY_FOR = "cxone-replay-for"
REPLAYS = "cxone-replays"  # how often a frame was replayed, as decimal text
SOURCE = "cxone-source"  # the connector that received a frame, and its connection: "interactions:4f1c"
RECEIVED_AT = "cxone-received-at"  # milliseconds since the epoch, as decimal text
WEBHOOK_PATH = "cxone-webhook-path"  # that CXone called: one of the two below

# The values of `WEBHOOK_PATH`
DATA_ACTION_PATH, DASHBOARD_PATH = "/webhook/cxone-data-action", "/webhook/cxone-dashboard"

Headers = tuple[tuple[str, bytes], ...]

AROUND_HEADER = 6  # bytes: the lengths of its name and its content, at most, in a record of a megabyte


def size(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Return how many bytes a record has at most, but for some 20 that are around any."""
    beside = sum(len(name.encode()) + len(content or b"") + AROUND_HEADER for name, content in headers)
    return len(key or b"") + len(value or b"") + beside


class Record(Protocol):
    """One consumed record. What aiokafka reads of a batch is one, as is `Consumed`."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Consumed:
    """A record put together by hand."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A record that was looked for on a topic, and where it is. `timestamp` in milliseconds since the epoch."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to publish. `partition` None lets the key decide (murmur2, as Java and aiokafka do).

    A struct, because one is made for every record: a tuple with names takes five times as long.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
