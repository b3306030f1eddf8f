"""How long the event loop is away: probes, sessions with Kafka and every stage of the process wait for so long."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import Gauge, Histogram

BLOCKED = Histogram(
    "cxone_loop_blocked_seconds",
    "How late beats of the event loop came: each that was due counts, so that a long block is many of them.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5),
)
LONGEST = Gauge(
    "cxone_loop_blocked_longest_seconds", "How late the latest beat of the event loop came since this was last asked."
)

MOST = 10_000  # beats that count of one block: of a process that was suspended they would be millions


class LoopWatch:
    """Beats every `beat` seconds in an event loop, and notes how late.

    `late` is told of every beat that was due; `clock` is in seconds, exact to less than a beat.
    """

    def __init__(
        self,
        beat: float,
        *,
        late: Callable[[float], None] = BLOCKED.observe,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._beat, self._late, self._clock = beat, late, clock
        self._due = 0.0
        self._longest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        LONGEST.set_function(self.longest)
        self._due = self._clock() + self._beat
        self._wait(self._beat)

    def stop(self) -> None:
        """End. Without `start` before it does nothing."""
        if self._timer is not None:
            self._timer.cancel()

    def longest(self) -> float:
        """Return how late the latest beat came since this was asked last, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest

    def look(self) -> float:
        """Note the beats that were due until now; return the seconds until the next."""
        late = self._clock() - self._due
        if late >= 0:
            self._longest = max(self._longest, late)
            due = int(late / self._beat) + 1
            for number in range(min(due, MOST)):
                self._late(late - number * self._beat)
            self._due += due * self._beat
            late -= due * self._beat
        return -late

    def _come(self) -> None:
        self._wait(self.look())

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._come)
