"""What travels on the topics: frozen records, and the headers around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from schemas.topics import DEAD_LETTERS

# Headers (names are part of the contract with consumers of our topics)
# "<partition>:<offset>" of what a record came from: of the raw frame, and behind the rate limit of the guest message
SOURCE_POSITION = "cxone-source-position"
EVENT_ID = "cxone-event-id"
SOURCE = "cxone-source"  # the connector that received a frame, e.g. "interactions"
RECEIVED_AT = "cxone-received-at"  # milliseconds since the epoch, as decimal text
CONNECTION_ID = "cxone-connection-id"

DEAD_REASON = "cxone-dead-reason"  # one of a stage's fixed reasons: counted, filtered, alerted on
DEAD_DETAIL = "cxone-dead-detail"  # a sentence for a person
DEAD_STAGE = "cxone-dead-stage"
DEAD_SOURCE = "cxone-dead-source"  # "<topic>:<partition>:<offset>" of the refused record
DEAD_TRUNCATED = "cxone-dead-truncated"  # full length in bytes, where the original was too large to carry

Headers = tuple[tuple[str, bytes], ...]


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


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to publish. `partition` None lets the key decide (murmur2, as Java and aiokafka do).

    A struct, because one is made for every record: a tuple with names takes five times as long.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class InteractionCompleted(msgspec.Struct, frozen=True, gc=False):
    """A finished interaction. Durations in seconds, `completed_at` in milliseconds since the epoch (event time).

    `event_id` is None when the event carried none; `revision` rises when a source corrects an interaction.
    A struct for the reason that `Outgoing` is one.
    """

    event_id: str | None
    campaign_id: str
    handle_time: float
    wait_time: float
    completed_at: int
    revision: int = 0


class GuestMessage(msgspec.Struct, frozen=True, gc=False):
    """What a guest wrote. Times in milliseconds since the epoch.

    `fingerprint` tells a browser; None when the message carried none. `sent_at` is the guest's clock; `received_at` is
    when the socket delivered the frame.
    """

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    text: str
    queue_id: str
    sent_at: int
    received_at: int

    @property
    def guest(self) -> str:
        """Who is limited: the browser, or without a fingerprint the conversation."""
        return self.conversation_id if self.fingerprint is None else self.fingerprint


@dataclass(frozen=True, slots=True)
class GuestThrottled:
    """A message that the rate limit refused. `allowed_at` (ms) is when the next one of this guest would be admitted."""

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    queue_id: str
    sent_at: int
    received_at: int
    allowed_at: int


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """A message that CXone has taken into a queue.

    `seconds` is from the moment the socket delivered the frame to CXone's answer, `attempts` how many calls that took.
    """

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    queue_id: str
    routing_id: str | None
    attempts: int
    received_at: int
    routed_at: int
    seconds: float
    within_target: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one duration in one window, in seconds."""

    p50: float
    p90: float
    p95: float
    min: float
    max: float
    mean: float


@dataclass(frozen=True, slots=True)
class CampaignHour:
    """One campaign's hour. `hour_start` in milliseconds since the epoch (UTC).

    A row with a higher `revision` replaces every earlier one of the same key; `final` says that the allowed lateness
    has passed (a late event may still raise the revision); `exact` is False when the percentiles come from buckets of
    1 % relative error.
    """

    campaign_id: str
    hour_start: int
    count: int
    handle: Summary
    wait: Summary
    revision: int
    final: bool
    exact: bool


def dead_letter(  # noqa: PLR0913 - a dead letter is all of these
    topic: str, partition: int, record: Record, *, stage: str, reason: str, detail: str, max_bytes: int = 900_000
) -> Outgoing:
    """Wrap a refused record: its bytes, key and headers as they were, and why it was refused.

    It fits `max_bytes`: a longer value is cut, key and headers that take more than a tenth are left out, and
    `DEAD_TRUNCATED` gives the value's full length. The dead letter points at the original by `DEAD_SOURCE`.
    """
    key, value, original = record.key, record.value, tuple(record.headers)
    beside = len(key or b"") + sum(len(name.encode()) + len(content or b"") for name, content in original)
    cut: Headers = ()
    if beside > max_bytes // 10 or len(value or b"") > max_bytes - beside:
        cut = ((DEAD_TRUNCATED, str(len(value or b"")).encode()),)
        if beside > max_bytes // 10:
            key, original, beside = None, (), 0
        value = value and value[: max_bytes - beside]
    headers = (
        *original,
        (DEAD_STAGE, stage.encode()),
        (DEAD_REASON, reason.encode()),
        (DEAD_DETAIL, detail.encode("utf-8", "replace")),
        (DEAD_SOURCE, f"{topic}:{partition}:{record.offset}".encode()),
        *cut,
    )
    return Outgoing(DEAD_LETTERS.name, key, value, headers)
