"""Times and durations as frames write them -> numbers, and times back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

from schemas.frame_fields import DurationForm

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = 253_402_300_800_000  # ms: the year 10000, which ISO 8601 cannot write
EARLIEST = 946_684_800_000  # 2000-01-01, ms: what claims to be older has no clock
LONGEST_DURATION = 366 * 86_400.0  # seconds: what claims to have taken longer would also break sums
MILLISECONDS_FROM = 100_000_000_000  # a number of this size counts milliseconds: as seconds it would be the year 5138

LONGEST_TEXT = 32  # characters of a duration

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ISO_DURATION = re.compile(
    r"P(?=.)(?:([0-9]+)W)?(?:([0-9]+)D)?(?:T(?=.)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:[.,]([0-9]+))?S)?)?"
)
_UNITS = 7 * 86_400, 86_400, 3600, 60, 1  # seconds, in the order of the groups above


def seconds(value: object) -> float | None:
    """Read a finite number from 0, and not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer that no float can hold
        return None
    return number if 0 <= number < inf else None


def duration_reader(form: DurationForm) -> Callable[[object], float | None]:
    """Return what reads seconds from 0 of a duration in this form. Another form is None, never guessed."""
    return {DurationForm.SECONDS: seconds, DurationForm.TEXT: _number, DurationForm.ISO8601: _iso_duration}[form]


def what_durations_are(form: DurationForm) -> str:
    """Return what a duration in this form has to be, for those who are told that it is not."""
    return {
        DurationForm.SECONDS: "a number of seconds from 0 to a year",
        DurationForm.TEXT: "text with a number of seconds from 0 to a year, such as 277",
        DurationForm.ISO8601: "an ISO 8601 duration from 0 to a year, such as PT7M15.643S",
    }[form]


def _number(value: object) -> float | None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not _NUMBER.fullmatch(value):
        return None
    return float(value)


def _iso_duration(value: object) -> float | None:
    """Years and months are not read: nobody says how long they are."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not (found := _ISO_DURATION.fullmatch(value)):
        return None
    *counts, fraction = found.groups()
    whole = sum(int(count or 0) * unit for count, unit in zip(counts, _UNITS, strict=True))
    return float(f"{whole}.{fraction or 0}")  # as a number would say it: 435.643, not 435.64300000000003


def milliseconds(value: object) -> int | None:
    """Read ISO 8601 text (UTC where it names no offset), or a number of seconds or milliseconds since the epoch.

    RFC 3339 lets Z be small, and Python does not. Fractions of a millisecond are cut off: rounding would carry the end
    of an hour into the next.
    """
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
            since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH
        except (ValueError, OverflowError):
            return milliseconds(value[:-1] + "Z") if value.endswith("z") else None
        return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000  # `// timedelta` is slower
    number = seconds(value)
    return None if number is None else int(number if number >= MILLISECONDS_FROM else number * 1000)


def iso(ms: int, timespec: str = "seconds") -> str:
    """Return a time in milliseconds since the epoch as ISO 8601 text in UTC, as fine as `timespec` says."""
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec=timespec).replace("+00:00", "Z")
