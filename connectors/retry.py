"""When to try again: pure policies, the same for every adapter."""

import random as _random
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_DELAY = 15.0
LONGEST_RETRY_AFTER = 300.0
SHORTEST_RETRY_AFTER = 1.0

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


def delays(
    initial: float = 1.0, maximum: float = LONGEST_DELAY, *, random: Callable[[], float] = _random.random
) -> Iterator[float]:
    """Yield seconds to wait, without end: anything from 0 to a ceiling that doubles from `initial` to `maximum`.

    Full jitter: clients that failed together do not come back together.
    """
    ceiling = initial
    while True:
        yield random() * ceiling
        ceiling = min(2 * ceiling, maximum)


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds to wait that a Retry-After header names (a number, or an HTTP date), from 1 to 300.

    `now` is in seconds since the epoch. None means that the header is absent, makes no sense or names no time to
    come; the caller then takes its own delays. Neither "0" nor "0.000001" can make anybody spin.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            when = parsedate_to_datetime(text)
            seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER) if seconds > 0 else None


def longest_retry_after(headers: Iterable[str], now: float) -> float | None:
    """Return the longest wait of several Retry-After headers, as `retry_after` reads them; None if none names one."""
    waits = [wait for header in headers if (wait := retry_after(header, now)) is not None]
    return max(waits, default=None)
