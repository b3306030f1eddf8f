"""A frame of the analytics dialect -> an event, or the reason why it is none."""

from collections.abc import Callable, Mapping
from hashlib import blake2b

import orjson

from schemas.frame_fields import AnalyticsFields, getter, identity
from schemas.records import INTERACTION, AnalyticsEvent, AnalyticsMetrics
from streams.core.contract import Refused
from streams.core.times import EARLIEST, LONGEST_DURATION, duration_reader, milliseconds, what_durations_are

LONGEST_WORD = 64  # characters of a type or a state
MOST_METADATA = 100  # entries
LONGEST_METADATA = 65_536  # characters of all of them together

NO_TYPE = "event type"
NO_INTERACTION = "interaction id"
BAD_DURATION = "duration"
BAD_STATE = "state"
BAD_TIME = "event time"
BAD_METADATA = "metadata"

Interpret = Callable[[dict[str, object], bytes, int], AnalyticsEvent | Refused]


class _Wrong(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.refused = Refused(reason, detail)


def interpreter(fields: AnalyticsFields, *, clock_skew: int) -> Interpret:
    """Return `(frame, its bytes, arrived) -> event or refusal`, for frames of events. Times in milliseconds."""
    type_of, time_of = getter(fields.event_type), getter(fields.timestamp)
    state_of, metadata_of = getter(fields.state), getter(fields.metadata)
    seconds, durations_are = duration_reader(fields.durations), what_durations_are(fields.durations)
    durations = [
        (name, getter(paths))
        for name, paths in (("handle", fields.handle_time), ("wait", fields.wait_time), ("queue", fields.queue_time))
    ]

    def duration(name: str, value: object) -> float | None:
        found = seconds(value)
        if value is not None and (found is None or found > LONGEST_DURATION):
            raise _Wrong(BAD_DURATION, f"the {name} time must be {durations_are}")
        return found

    def read(frame: dict[str, object], data: bytes, arrived: int) -> AnalyticsEvent:
        event_type = type_of(frame)
        if not isinstance(event_type, str):
            raise _Wrong(NO_TYPE, "is missing, or no text")
        interaction = identity(frame, fields.interaction_id)
        if interaction is None and event_type in fields.interaction_types:
            raise _Wrong(NO_INTERACTION, "must be text of 1 to 256 characters, or a whole number")
        handle, wait, queue = (duration(name, get(frame)) for name, get in durations)
        return AnalyticsEvent(
            event_id=identity(frame, fields.event_id) or f"frame-{blake2b(data, digest_size=16).hexdigest()}",
            event_type=INTERACTION if event_type in fields.interaction_types else event_type,
            timestamp=_time(time_of(frame), arrived + clock_skew),
            interaction_id=interaction,
            agent_id=identity(frame, fields.agent_id),
            queue_id=identity(frame, fields.queue_id),
            metrics=AnalyticsMetrics(handle, wait, queue, _state(state_of(frame))),
            metadata=_metadata(metadata_of(frame)),
        )

    def interpret(frame: dict[str, object], data: bytes, arrived: int) -> AnalyticsEvent | Refused:
        try:
            return read(frame, data, arrived)
        except _Wrong as wrong:
            return wrong.refused

    return interpret


def has_id(frame: Mapping[str, object], fields: AnalyticsFields) -> bool:
    """Whether CXone named the event, so that it need not be told by its bytes."""
    return identity(frame, fields.event_id) is not None


def _state(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_WORD):
        raise _Wrong(BAD_STATE, f"is no text of at most {LONGEST_WORD} characters")
    return value


def _time(value: object, latest: int) -> int:
    at = milliseconds(value)
    if at is None:
        raise _Wrong(BAD_TIME, "is missing or neither ISO 8601 nor a number since the epoch")
    if not EARLIEST <= at <= latest:
        raise _Wrong(BAD_TIME, f"{at} ms is before the year 2000, or after {latest} ms, which its arrival allows")
    return at


def _metadata(value: object) -> dict[str, str]:
    """Return text as it is, and other values as JSON."""
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MOST_METADATA:
        raise _Wrong(BAD_METADATA, f"is no object of at most {MOST_METADATA} entries")
    read = {key: each if isinstance(each, str) else orjson.dumps(each).decode() for key, each in value.items()}
    if sum(len(key) + len(each) for key, each in read.items()) > LONGEST_METADATA:
        raise _Wrong(BAD_METADATA, f"has more than {LONGEST_METADATA} characters")
    return read
