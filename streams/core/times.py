"""Times and durations as frames write them -> numbers, and times back."""

from datetime import UTC, datetime, timedelta
from math import inf

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = 253_402_300_800_000  # ms: the year 10000, which ISO 8601 cannot write
EARLIEST = 946_684_800_000  # 2000-01-01, ms: what claims to be older has no clock
LONGEST_DURATION = 366 * 86_400.0  # seconds: what claims to have taken longer would also break sums
MILLISECONDS_FROM = 100_000_000_000  # a number of this size counts milliseconds: as seconds it would be the year 5138


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
        return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000  # `// timedelta` is slower
    number = seconds(value)
    return None if number is None else int(number if number >= MILLISECONDS_FROM else number * 1000)


def iso(ms: int, timespec: str = "seconds") -> str:
    """Return a time in milliseconds since the epoch as ISO 8601 text in UTC, as fine as `timespec` says."""
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec=timespec).replace("+00:00", "Z")
