"""A frame of the interactions dialect -> a completed interaction, or the reason why it is none."""

from collections.abc import Callable

from schemas.frame_fields import InteractionFields, getter, identity
from schemas.records import LONGEST_CAMPAIGN, InteractionCompleted
from streams.core.contract import Refused
from streams.core.times import EARLIEST, LONGEST_DURATION, duration_reader, milliseconds, what_durations_are

NO_CAMPAIGN = "campaign id"
BAD_DURATION = "duration"
BAD_TIME = "event time"

Interpret = Callable[[dict[str, object], int], InteractionCompleted | Refused]


def interpreter(fields: InteractionFields, *, clock_skew: int) -> Interpret:
    """Return `(frame, arrived) -> interaction or refusal`, for frames of events. Times in milliseconds."""
    campaign_of, handle_of, wait_of = getter(fields.campaign_id), getter(fields.handle_time), getter(fields.wait_time)
    time_of, seconds = getter(fields.completed_at), duration_reader(fields.durations)
    durations_are = what_durations_are(fields.durations)

    def interpret(frame: dict[str, object], arrived: int) -> InteractionCompleted | Refused:
        campaign = campaign_of(frame)
        if isinstance(campaign, int) and not isinstance(campaign, bool):
            campaign = str(campaign)
        if not isinstance(campaign, str) or not 0 < len(campaign) <= LONGEST_CAMPAIGN:
            return Refused(NO_CAMPAIGN, f"must be text of 1 to {LONGEST_CAMPAIGN} characters, or a whole number")
        handle, wait = seconds(handle_of(frame)), seconds(wait_of(frame))
        if handle is None or wait is None or max(handle, wait) > LONGEST_DURATION:
            which = "handle" if handle is None or handle > LONGEST_DURATION else "wait"
            return Refused(BAD_DURATION, f"the {which} time must be {durations_are}")
        at = milliseconds(time_of(frame))
        if at is None:
            return Refused(BAD_TIME, "is missing or neither ISO 8601 nor a number since the epoch")
        if not EARLIEST <= at <= arrived + clock_skew:
            return Refused(BAD_TIME, f"{at} ms is before the year 2000, or over {clock_skew} ms after its arrival")
        return InteractionCompleted(identity(frame, fields.event_id), campaign, handle, wait, at)

    return interpret
