"""The body of a webhook -> what CXone called about, or the reason why it is nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from schemas.envelope import DASHBOARD_PATH, DATA_ACTION_PATH, EVENT_ID, WEBHOOK_PATH, Record
from schemas.frame_fields import LONGEST_ID, ActionFields, ChangeFields, Path, Paths, first
from schemas.records import CXoneInteraction, DashboardChange
from schemas.written_ids import is_id, written_id
from streams.core.contract import Refused
from streams.core.raw_frames.arrival import received_at

UNKNOWN = "unknown"
LONGEST_EMAIL = 320  # characters: RFC 3696 allows no longer one

NO_PATH = "path"
NO_ID = "id"
BAD_FIELD = "field"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a webhook brought. `event_id` is the same when it is sent again."""

    event_id: str
    record: CXoneInteraction | DashboardChange

    @property
    def key(self) -> str:
        record = self.record
        return record.interaction_id if isinstance(record, CXoneInteraction) else record.dashboard_id


Interpret = Callable[[dict[str, object], Record], Delivery | Refused]


class _Unusable(Exception):
    pass


def interpreter(action: ActionFields, change: ChangeFields) -> Interpret:
    """Return `(body, raw record) -> delivery or refusal`."""

    def interpret(content: dict[str, object], raw: Record) -> Delivery | Refused:
        path, delivery_id = _header(raw, WEBHOOK_PATH), _header(raw, EVENT_ID)
        event_id = delivery_id or _fingerprint(path, raw.value or b"")
        try:
            if path == DATA_ACTION_PATH:
                return Delivery(event_id, _interaction(content, raw, action))
            if path == DASHBOARD_PATH:
                return Delivery(event_id, _change(content, raw, change))
        except _Unusable as unusable:
            return Refused(*unusable.args)
        return Refused(NO_PATH, f"the header {WEBHOOK_PATH} names no path that CXone calls")

    return interpret


def _interaction(content: dict[str, object], raw: Record, fields: ActionFields) -> CXoneInteraction:
    return CXoneInteraction(
        interaction_id=_id(content, raw, fields.interaction_id),
        channel=_text(content, fields.channel) or UNKNOWN,
        timestamp=received_at(raw),
        customer_email=_text(content, fields.customer_email, longest=LONGEST_EMAIL),
        agent_id=_text(content, fields.agent_id),
    )


def _change(content: dict[str, object], raw: Record, fields: ChangeFields) -> DashboardChange:
    return DashboardChange(
        dashboard_id=_id(content, raw, fields.dashboard_id),
        event_type=_text(content, fields.event_type) or UNKNOWN,
        actor=_text(content, fields.actor),
        etag=_text(content, fields.etag),
        received_at=received_at(raw),
    )


def _id(content: dict[str, object], raw: Record, paths: Paths) -> str:
    found = written_id(content, raw.value or b"", paths)
    if not isinstance(found, str) or not is_id(found):
        raise _Unusable(NO_ID, f"{_named(paths)} must be a number, or 1 to {LONGEST_ID} characters without NUL")
    return found


def _text(content: dict[str, object], paths: Paths, *, longest: int = LONGEST_ID) -> str | None:
    """Return the first that is text or a number; None when nothing is there, or nothing in it."""
    found = [value for path in paths if (value := first(content, (path,))) is not None]
    for value in found:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value)
            if len(text) > longest:
                raise _Unusable(BAD_FIELD, f"{_named(paths)} has more than {longest} characters")
            return text or None
    if found:
        raise _Unusable(BAD_FIELD, f"{_named(paths)} must be text or a number")
    return None


def _named(paths: Paths) -> str:
    def dotted(path: Path) -> str:
        return ".".join(path)

    return " or ".join(map(dotted, paths))


def _header(raw: Record, wanted: str) -> str:
    for name, value in raw.headers:
        if name == wanted:
            return (value or b"").decode("utf-8", "replace")
    return ""


def _fingerprint(path: str, body: bytes) -> str:
    return blake2b(path.encode() + b"\0" + body, digest_size=16).hexdigest()
