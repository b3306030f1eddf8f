"""What is compiled, where it is built: the usual interaction read and written in C, several times as fast.

`schemas/_usual.c` is built when the package is installed where there is a C compiler; without one everything works the
same, and slower. `CXONE_STREAMS_NO_EXTENSIONS=1` leaves it out. What is answered there, the modules in Python would
answer, too: they are asked about everything else, and tests hold both to that.
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from schemas.frame_fields import LONGEST_ID, DurationForm, InteractionFields
from schemas.records import InteractionCompleted

try:
    if os.environ.get("CXONE_STREAMS_NO_EXTENSIONS"):
        raise ImportError  # noqa: TRY301 - as if it were not built
    from schemas import _usual
except ImportError:
    _usual = None  # type: ignore[assignment]  # not built, or not wanted

T = TypeVar("T")

Frame = tuple[bytes, bytes, bytes, int]  # key and value of the record, fingerprint of the event id, event time in ms
Placed = tuple[InteractionCompleted, tuple[str, int], int]  # an event, (campaign id, start of its hour), event time: ms
Sourced = tuple[int, int, int]  # raw partition, raw offset, log time in ms

IS_BUILT = _usual is not None


def nothing(_of: object) -> None:
    """Answer nothing: Python has to look."""


def nothing_of_frames(_value: bytes, _arrived: int) -> None:
    """Answer nothing, as above."""


def frames(
    fields: InteractionFields, *, header: bytes, earliest: int, clock_skew: int, longest: float
) -> Callable[[bytes, int], Frame | None]:
    """Return `(frame, arrived) -> its record, or None`, for what `normalise` passes on. Times in milliseconds.

    Args:
        fields: where the dialect keeps what is wanted; of each the first path is looked at.
        header: before the record's Avro body.
        earliest: event time that is believed.
        clock_skew: that an event may be ahead of its arrival.
        longest: duration that is believed, in seconds.
    """
    if _usual is None or fields.durations is not DurationForm.SECONDS:
        return nothing_of_frames
    wanted = (
        fields.completed_at, fields.event_id, fields.campaign_id, fields.handle_time, fields.wait_time,
        fields.event_type,
    )  # fmt: skip
    paths = tuple(of[0] for of in wanted)
    try:
        return _usual.Frames(
            paths, fields.completed_types, header, earliest, clock_skew, longest, longest_text=LONGEST_ID
        ).read
    except (ValueError, OverflowError):  # two fields at one place, a skew of centuries
        return nothing_of_frames


def hours(alike: set[bytes], *, hour: int, longest: float, end: int) -> Callable[[bytes], Placed | None]:
    """Return `record of an interaction -> (event, key of its hour, event time), or None`. Times in milliseconds.

    Args:
        alike: headers of schemas that are written as ours is; more may come.
        hour: its length.
        longest: duration that is taken, in seconds.
        end: event time from which on it is not taken.
    """
    return nothing if _usual is None else _usual.Hours(alike, InteractionCompleted, hour, longest, end).read


source: Callable[[Sequence[tuple[str, bytes]]], Sourced | None] = nothing if _usual is None else _usual.source
"""Returns what the headers of a stage's record say, where they are a source position and a log time."""
