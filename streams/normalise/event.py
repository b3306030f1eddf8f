"""A frame of the interactions dialect -> a completed interaction, or the reason why it is none."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

from schemas.dialect import InteractionFields, first, identity
from schemas.records import InteractionCompleted

LONGEST_CAMPAIGN = 256  # characters
EARLIEST = 946_684_800_000  # 2000-01-01, ms: what claims to be older has no clock
MILLISECONDS_FROM = 100_000_000_000  # a number of this size counts milliseconds: as seconds it would be the year 5138

NO_CAMPAIGN = "campaign id"
BAD_DURATION = "duration"
BAD_TIME = "event time"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a frame is no completed interaction: one of the fixed reasons, and a sentence."""

    reason: str
    detail: str


def interpret(
    frame: dict[str, object], fields: InteractionFields, *, arrived: int, clock_skew: int
) -> InteractionCompleted | Refused:
    """Validate the frame of an event. `arrived` and `clock_skew` in milliseconds."""
    campaign = first(frame, fields.campaign_id)
    if isinstance(campaign, int) and not isinstance(campaign, bool):
        campaign = str(campaign)
    if not isinstance(campaign, str) or not 0 < len(campaign) <= LONGEST_CAMPAIGN:
        return Refused(NO_CAMPAIGN, f"a campaign id is text of 1 to {LONGEST_CAMPAIGN} characters, or a whole number")
    handle, wait = first(frame, fields.handle_time), first(frame, fields.wait_time)
    for name, value in (("handle time", handle), ("wait time", wait)):
        if not _is_duration(value):
            return Refused(BAD_DURATION, f"the {name} is missing or no finite number of seconds from 0")
    at = milliseconds(first(frame, fields.completed_at))
    if at is None:
        return Refused(BAD_TIME, "the time is missing or neither ISO 8601 nor a number since the epoch")
    if not EARLIEST <= at <= arrived + clock_skew:
        return Refused(BAD_TIME, f"{at} ms is before the year 2000, or more than {clock_skew} ms after its arrival")
    return InteractionCompleted(
        event_id=identity(frame, fields.event_id),
        campaign_id=campaign,
        handle_time=float(handle),  # type: ignore[arg-type]
        wait_time=float(wait),  # type: ignore[arg-type]
        completed_at=at,
    )


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value) and value >= 0
    except OverflowError:  # an integer that no float can hold
        return False


def milliseconds(value: object) -> int | None:
    """Read ISO 8601 text (UTC where it names no offset), or a number of seconds or milliseconds since the epoch."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return None
        try:
            return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
        except OverflowError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_duration(abs(value)):
        return None
    return round(value if abs(value) >= MILLISECONDS_FROM else value * 1000)
