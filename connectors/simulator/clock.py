"""Simulated time: hours pass in seconds, busy hours hold more calls than quiet ones, and the future is never reached.

real     |----------------|------------------>
started                   caught up
event    |===============>|------------------>      runs at `speedup`, then at 1
"""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

HOUR = 3600.0
DAY = 24 * HOUR

# Share of a day's calls per hour of the day (UTC), relative to the average hour.
_CALLS = (2, 1, 1, 1, 1, 2, 4, 8, 13, 16, 17, 16, 14, 15, 16, 16, 15, 13, 10, 8, 6, 5, 4, 3)
DAY_SHAPE = tuple(24 * calls / sum(_CALLS) for calls in _CALLS)
_CALLS_BEFORE = (0.0, *accumulate(DAY_SHAPE))  # hour of the day -> calls so far, in average hours


@dataclass(frozen=True, slots=True)
class EventClock:
    """Tells the event time (seconds since the epoch) of what is sent `elapsed` real seconds after `started_at`.

    Frames leave at an even rate, so the day's shape is made by time itself: it passes fast at night and slowly at noon,
    and `speedup` is its average. It begins `history` seconds in the past, never overtakes `started_at + elapsed`, and
    never falls behind real time's pace.
    """

    started_at: float
    history: float
    speedup: float

    def at(self, elapsed: float) -> float:
        begin = self.started_at - self.history
        calls = _calls_until(begin) + elapsed * self.speedup / HOUR
        return min(max(_time_of(calls), begin + elapsed), self.started_at + elapsed)


def _calls_until(time: float) -> float:
    days, second = divmod(time, DAY)
    hour, rest = divmod(second, HOUR)
    return days * 24 + _CALLS_BEFORE[int(hour)] + DAY_SHAPE[int(hour)] * rest / HOUR


def _time_of(calls: float) -> float:
    days, calls_of_day = divmod(calls, 24)
    hour = min(bisect(_CALLS_BEFORE, calls_of_day) - 1, 23)
    return days * DAY + (hour + (calls_of_day - _CALLS_BEFORE[hour]) / DAY_SHAPE[hour]) * HOUR
