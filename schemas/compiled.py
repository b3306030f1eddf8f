"""What is compiled, where it is built: runs of usual interactions read and written in C, several times as fast.

`schemas/_usual.c` is built when the package is installed where there is a C compiler; without one everything works the
same, and slower. `CXONE_STREAMS_NO_EXTENSIONS=1` leaves it out. What is taken there, the modules in Python would take,
too: they look at everything else, and tests hold both to that.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from schemas.envelope import Outgoing, Record
from schemas.frame_fields import LONGEST_ID, DurationForm, InteractionFields

FORM = 2  # of what is asked: `_usual.c` says the same. What was built of an earlier source counts as not built

try:
    if os.environ.get("CXONE_STREAMS_NO_EXTENSIONS"):
        raise ImportError  # noqa: TRY301 - as if it were not built
    from schemas import _usual

    if getattr(_usual, "FORM", None) != FORM:
        raise ImportError  # noqa: TRY301 - as above
except ImportError:
    _usual = None  # type: ignore[assignment]  # not built, or not wanted

# Records, the place to begin at; raw partition, the offset below which nothing is news, the arrival from which on it is
# time for another slice; `EventTime.take`, `Seen.first_time`
# -> how many were taken; records to publish, and the fingerprints of their ids
FrameRun = Callable[
    [Sequence[Record], int, int, int, float, Callable[[int, int], int], Callable[[bytes], bool]],
    tuple[int, list[Outgoing], list[bytes]],
]
# Records, the place to begin at; raw partition -> highest raw offset, values, those that changed -> how many were added
HourRun = Callable[[Sequence[Record], int, dict[int, int], dict[Any, Any], dict[Any, Any]], int]

IS_BUILT = _usual is not None


def frames(  # noqa: PLR0913 - what a dialect and a stage are about
    fields: InteractionFields, *, topic: str, header: bytes, earliest: int, clock_skew: int, longest: float
) -> FrameRun | None:
    """Return what takes the usual frames from a place on, up to the first that is not, as `Frames.fold` does.

    Those that were seen before come to nothing. Times in milliseconds.

    Args:
        fields: where the dialect keeps what is wanted.
        topic: of the records.
        header: before the record's Avro body.
        earliest: event time that is believed.
        clock_skew: that an event may be ahead of its arrival.
        longest: duration that is believed, in seconds.
    """
    if _usual is None or fields.durations is not DurationForm.SECONDS:
        return None
    paths = (
        fields.completed_at, fields.event_id, fields.campaign_id, fields.handle_time, fields.wait_time,
        fields.event_type,
    )  # fmt: skip
    try:
        return _usual.Frames(
            paths, fields.completed_types, header, Outgoing, topic, earliest, clock_skew, longest, LONGEST_ID
        ).run
    except (ValueError, OverflowError):  # two fields at one place, a skew of centuries
        return None


def hours(  # noqa: PLR0913 - what an hour is about
    alike: set[bytes], *, hour: int, keep: int, longest: float, end: int, farthest: int
) -> HourRun | None:
    """Return what adds the usual interactions from a place on, up to the first that is not, as `KeyedRows.fold` does.

    Values are by (campaign id, start of the hour), and have `handle.counts` and `wait.counts`: {duration: how often}.
    One that is not there is left to Python. Times in milliseconds.

    Args:
        alike: headers of schemas that are written as ours is; more may come.
        hour: its length.
        keep: log time after the start of an hour from which on it takes nothing.
        longest: duration that is taken, in seconds.
        end: event time from which on it is not taken.
        farthest: raw offsets between two that follow each other.
    """
    return None if _usual is None else _usual.Hours(alike, hour, keep, longest, end, farthest).run
