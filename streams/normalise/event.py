"""A frame of the interactions dialect -> a completed interaction, or the reason why it is none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from schemas.dialect import InteractionFields, getter, identity
from schemas.records import InteractionCompleted

LONGEST_CAMPAIGN = 256  # characters
LONGEST_DURATION = 366 * 86_400.0  # seconds: what claims to have taken longer would also break sums
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


Interpret = Callable[[dict[str, object], int], InteractionCompleted | Refused]


def interpreter(fields: InteractionFields, *, clock_skew: int) -> Interpret:
    """Return `(frame, arrived) -> interaction or refusal`, for frames of events. Times in milliseconds."""
    campaign_of, handle_of, wait_of = getter(fields.campaign_id), getter(fields.handle_time), getter(fields.wait_time)
    time_of = getter(fields.completed_at)

    def interpret(frame: dict[str, object], arrived: int) -> InteractionCompleted | Refused:
        campaign = campaign_of(frame)
        if isinstance(campaign, int) and not isinstance(campaign, bool):
            campaign = str(campaign)
        if not isinstance(campaign, str) or not 0 < len(campaign) <= LONGEST_CAMPAIGN:
            return Refused(NO_CAMPAIGN, f"must be text of 1 to {LONGEST_CAMPAIGN} characters, or a whole number")
        handle, wait = seconds(handle_of(frame)), seconds(wait_of(frame))
        if handle is None or wait is None or max(handle, wait) > LONGEST_DURATION:
            which = "handle" if handle is None or handle > LONGEST_DURATION else "wait"
            return Refused(BAD_DURATION, f"the {which} time is missing or no number of seconds from 0 to a year")
        at = milliseconds(time_of(frame))
        if at is None:
            return Refused(BAD_TIME, "is missing or neither ISO 8601 nor a number since the epoch")
        if not EARLIEST <= at <= arrived + clock_skew:
            return Refused(BAD_TIME, f"{at} ms is before the year 2000, or over {clock_skew} ms after its arrival")
        return InteractionCompleted(identity(frame, fields.event_id), campaign, handle, wait, at)

    return interpret


def seconds(value: object) -> float | None:
    """Read a finite number from 0, and not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer that no float can hold
        return None
    return number if 0 <= number < inf else None


def milliseconds(value: object) -> int | None:
    """Read ISO 8601 text (UTC where it names no offset), or a number of seconds or milliseconds since the epoch.

    Fractions of a millisecond are cut off: rounding would carry the end of an hour into the next.
    """
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
            since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH
        except (ValueError, OverflowError):
            return None
        return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000  # `// MILLISECOND` in half
    number = seconds(value)
    return None if number is None else int(number if number >= MILLISECONDS_FROM else number * 1000)
