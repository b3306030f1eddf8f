"""What is final and what may be forgotten, from the event time that travels on the wire.

The stage that reads a raw topic tells how far each partition of it has come, and up to where it has published what it
read (`EventTimeProgress`). Whoever aggregates what was published applies that when it has folded everything up to
there. So the watermark stands behind every raw partition, also behind one that was not heard of yet.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from schemas.records import EventTimeProgress

# Brokers' clocks differ: something that arrives may be stamped by one that is so far behind another (ms).
BROKERS_APART = 60_000
PENDING = 64  # of one raw partition; beyond it every other one is left out: the next says as much

Latest = Callable[[], Mapping[int, EventTimeProgress]]  # raw partition -> the latest that was heard of


def nothing_heard() -> Mapping[int, EventTimeProgress]:
    """Be the latest progress where nobody tells any: nothing ends, nothing is forgotten."""
    return {}


class Watermark:
    """Of one partition of a topic whose events come from one raw topic. Times in milliseconds; they never go back.

    `latest` is asked in `advance` alone, so that all that one flush decides is decided by the same times.

    Attributes:
        reached: the event time that all raw partitions have passed: what ends before it is final, but for lateness.
        log_time: every event that comes later has at least this log time: what nothing can change may be forgotten.
    """

    def __init__(self, partition: int, latest: Latest) -> None:
        self._partition, self._latest = partition, latest
        self.reached = self.log_time = 0
        self._taken = -1  # the last offset that was folded
        self._newest: dict[int, EventTimeProgress] = {}
        self._pending: dict[int, deque[EventTimeProgress]] = {}
        self._applied: dict[int, tuple[int, int]] = {}

    def take(self, offset: int) -> None:
        """Note that everything up to `offset` of the partition is folded."""
        self._taken = max(self._taken, offset)

    def advance(self) -> int:
        """Apply what was heard of, as far as it waits for nothing that is still to be folded. Returns `reached`."""
        latest = self._latest()
        for raw, progress in latest.items():
            if progress is not self._newest.get(raw):
                self._newest[raw] = progress
                self._wait(raw, progress)
            pending = self._pending[raw]
            while pending and self._awaited(pending[0]) <= self._taken:
                self._apply(raw, pending.popleft())
        partitions = max((progress.partitions for progress in latest.values()), default=0)
        if partitions and all(raw in self._applied for raw in range(partitions)):
            reached, log_times = zip(*self._applied.values(), strict=True)
            self.reached, self.log_time = max(self.reached, min(reached)), max(self.log_time, min(log_times))
        return self.reached

    def stored(self) -> dict[str, Any]:
        """Return what `restore` takes, in JSON's types."""
        return {"reached": self.reached, "log_time": self.log_time, "taken": self._taken}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from where an earlier life was."""
        self.reached, self.log_time = stored.get("reached", 0), stored.get("log_time", 0)
        self._taken = stored.get("taken", -1)

    def _wait(self, raw: int, progress: EventTimeProgress) -> None:
        pending = self._pending.setdefault(raw, deque())
        while pending and self._awaited(pending[-1]) > self._awaited(progress):
            pending.pop()  # of a topic that was made again since: what it awaits may never come
        pending.append(progress)
        if len(pending) > PENDING:
            self._pending[raw] = deque(list(pending)[1::2])

    def _awaited(self, progress: EventTimeProgress) -> int:
        """Return the offset up to which everything must have been folded."""
        return progress.reached[self._partition] if self._partition < len(progress.reached) else -1

    def _apply(self, raw: int, progress: EventTimeProgress) -> None:
        passed, log_time = self._applied.get(raw, (0, 0))
        self._applied[raw] = max(passed, progress.passed), max(log_time, progress.log_time)
