"""Points and ranges of time in a dashboard's file: absolute with a time zone, or relative to now. Pure."""

import re
from datetime import UTC, datetime

SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
LONGEST_RANGE = 30 * 86_400  # seconds
FURTHEST_AHEAD = 3600  # seconds

_RELATIVE = re.compile(r"-([1-9][0-9]{0,4})([mhdw])", re.ASCII)


def is_relative(text: str) -> bool:
    """Whether a point of time moves with the clock."""
    return text == "now" or _RELATIVE.fullmatch(text) is not None


def read(text: str) -> datetime | None:
    """Return what ISO 8601 or RFC 3339 text says. Python does not take the small z that RFC 3339 allows."""
    try:
        return datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
    except ValueError:
        return None


def moment(text: str, now: float) -> float:
    """Return seconds since the epoch of `-7d`, `now` or an ISO time with a zone. Raises ValueError with what to do."""
    if text == "now":
        return now
    if match := _RELATIVE.fullmatch(text):
        return now - int(match[1]) * SECONDS[match[2]]
    point = read(text)
    if point is None:
        raise ValueError(f"`{text}` is no time such as 2026-01-31T08:00:00+01:00, -7d or now")
    if point.tzinfo is None:
        raise ValueError(f"`{text}` has no time zone: add Z or an offset such as +01:00")
    try:
        return point.astimezone(UTC).timestamp()
    except (OverflowError, ValueError):
        raise ValueError(f"`{text}` is out of range: in UTC it is in none of the years 1 to 9999") from None


def step(text: str) -> float:
    """Return the seconds after which a relative time is a step behind: the unit it is written in."""
    match = _RELATIVE.fullmatch(text)
    return float(SECONDS[match[2]]) if match else float(SECONDS["m"])


def iso(seconds: float) -> str:
    """Write a time as CXone's documents have it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
