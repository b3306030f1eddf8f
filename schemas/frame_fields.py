"""Where a tenant's frames keep what we need: paths into JSON objects, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from hashlib import blake2b

Path = tuple[str, ...]  # keys, from the outside in
Paths = tuple[Path, ...]  # alternatives: the first hit wins

LONGEST_ID = 256  # characters; what is longer identifies nothing and would not fit a header


class Kind(Enum):
    """What a frame is. OTHER is an event of a type that nobody asked for."""

    EVENT = auto()
    CONTROL = auto()
    OTHER = auto()


class DurationForm(StrEnum):
    """How a tenant writes durations: 277 or 277.5, "277", "PT4M37S"."""

    SECONDS = "seconds"
    TEXT = "text"
    ISO8601 = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFields:
    """The frames of finished interactions.

    `durations` says how handle and wait time are written. `completed_at` is ISO 8601 text or a number of seconds or
    milliseconds since the epoch: reading it is the reader's task.
    """

    event_type: Paths
    completed_types: tuple[str, ...]
    control_types: tuple[str, ...]
    control: Paths  # keys that only control frames have
    event_id: Paths
    interaction_id: Paths
    campaign_id: Paths
    handle_time: Paths
    wait_time: Paths
    completed_at: Paths
    durations: DurationForm = DurationForm.SECONDS

    def kind(self, frame: Mapping[str, object]) -> Kind:
        """Tell events from control frames. A frame that says nothing about itself is an event, to be validated."""
        event_type = first(frame, self.event_type)
        if event_type in self.completed_types:
            return Kind.EVENT
        if event_type in self.control_types or first(frame, self.control) is not None:
            return Kind.CONTROL
        return Kind.EVENT if event_type is None else Kind.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFields:
    """The frames of web messaging.

    `fingerprint` may lead to text, or to an object that describes the guest's browser: its `fingerprint_parts` are
    hashed then. Without any of `fingerprint_tells` it tells nobody apart, and counts as none. `sent_at` is as
    `InteractionFields.completed_at`.

    A frame of one of `stored_types` says that CXone keeps the event elsewhere; `stored_type` is the event's own type.
    `cut` is true where the frame's text is not all of it.
    """

    event_type: Paths
    message_types: tuple[str, ...]
    control_types: tuple[str, ...]
    direction: Paths
    inbound: tuple[str, ...]
    event_id: Paths
    conversation_id: Paths
    fingerprint: Paths
    fingerprint_parts: tuple[str, ...]
    fingerprint_tells: tuple[str, ...]
    text: Paths
    queue_id: Paths
    default_queue: str
    sent_at: Paths
    stored_types: tuple[str, ...]
    stored_type: Paths
    cut: Paths

    def kind(self, frame: Mapping[str, object]) -> Kind:
        """Tell what guests wrote from control frames; what agents and systems wrote is OTHER."""
        event_type = first(frame, self.event_type)
        if event_type in self.control_types:
            return Kind.CONTROL
        if self._stored_elsewhere(frame):
            return Kind.EVENT if first(frame, self.direction) in (None, *self.inbound) else Kind.OTHER
        if event_type not in self.message_types:
            return Kind.OTHER
        return Kind.EVENT if first(frame, self.direction) in self.inbound else Kind.OTHER

    def missing(self, frame: Mapping[str, object]) -> str | None:
        """Return in a sentence what of a message its frame does not hold, or None."""
        if self._stored_elsewhere(frame):
            return "the frame only says where CXone keeps the message"
        return "CXone keeps the rest of the text elsewhere" if first(frame, self.cut) is True else None

    def _stored_elsewhere(self, frame: Mapping[str, object]) -> bool:
        if first(frame, self.event_type) not in self.stored_types:
            return False
        return first(frame, self.stored_type) in self.message_types

    def guest(self, frame: Mapping[str, object]) -> str | None:
        """Return the fingerprint of the guest's browser as text of at most `LONGEST_ID` characters, or None."""
        for path in self.fingerprint:
            found = first(frame, (path,))
            if isinstance(found, dict):
                if any(_scalar(found.get(part)) for part in self.fingerprint_tells):
                    parts = [_scalar(found.get(part)) for part in self.fingerprint_parts]
                    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
            elif (text := identity(frame, (path,))) is not None:
                return text
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFields:
    """The bodies of Data Actions."""

    interaction_id: Paths
    channel: Paths
    customer_email: Paths
    agent_id: Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFields:
    """The bodies of webhooks that tell of a changed dashboard."""

    dashboard_id: Paths
    event_type: Paths
    actor: Paths
    etag: Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsFields:
    """The frames of the analytics socket.

    `event_types` are all that are read; those among `interaction_types` tell of an interaction. `durations` and
    `timestamp` are as of `InteractionFields`.
    """

    event_type: Paths
    event_types: tuple[str, ...]
    interaction_types: tuple[str, ...]
    control_types: tuple[str, ...]
    event_id: Paths
    timestamp: Paths
    interaction_id: Paths
    agent_id: Paths
    queue_id: Paths
    handle_time: Paths
    wait_time: Paths
    queue_time: Paths
    state: Paths
    metadata: Paths
    durations: DurationForm = DurationForm.SECONDS

    def kind(self, frame: Mapping[str, object]) -> Kind:
        """Tell events from control frames. A frame that says nothing about itself is an event, to be validated."""
        event_type = first(frame, self.event_type)
        if event_type in self.control_types:
            return Kind.CONTROL
        return Kind.EVENT if event_type is None or event_type in self.event_types else Kind.OTHER

    def key(self, frame: Mapping[str, object]) -> str | None:
        """Return whom a frame tells of: the agent, or else the interaction, or else the queue."""
        return identity(frame, (*self.agent_id, *self.interaction_id, *self.queue_id))


def _scalar(value: object) -> str:
    """Return text, a number or true as text; nothing for the rest: a list may be nested deeper than Python recurses."""
    return str(value or "") if isinstance(value, str | int | float) else ""


def first(frame: Mapping[str, object], paths: Paths) -> object:
    """Return the first value that is there and not null, or None."""
    for path in paths:
        value: object = frame
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def getter(paths: Paths) -> Callable[[Mapping[str, object]], object]:
    """Return `first` for these paths, three times as fast: for those who ask it of every frame."""
    one_by_one = [_getter(path) for path in paths]

    def get(frame: Mapping[str, object]) -> object:
        for each in one_by_one:
            value = each(frame)
            if value is not None:
                return value
        return None

    return one_by_one[0] if len(one_by_one) == 1 else get


def _getter(path: Path) -> Callable[[Mapping[str, object]], object]:
    outer, *inner = path
    if not inner:
        return lambda frame: frame.get(outer)
    if len(inner) > 1:
        return lambda frame: first(frame, (path,))
    (key,) = inner

    def get(frame: Mapping[str, object]) -> object:
        value = frame.get(outer)
        return value.get(key) if isinstance(value, dict) else None

    return get


def identity(frame: Mapping[str, object], paths: Paths) -> str | None:
    """Return the first id as text: a non-empty string of at most `LONGEST_ID` characters, or a whole number."""
    for path in paths:
        value = first(frame, (path,))
        if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None
