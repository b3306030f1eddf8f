"""Jobs that wait until they are due."""

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Generic, TypeVar

from streams.core.calls.job import Job

M = TypeVar("M")


class Resting(Generic[M]):
    """Jobs by due time (ms), equally late ones in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Job[M]]] = []
        self._latest = 0  # due time of all, at most
        self._number = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> int | None:
        """When the first one is due, or None."""
        return self._heap[0][0] if self._heap else None

    def add(self, job: Job[M]) -> None:
        """Let `job` rest until its `due`."""
        heapq.heappush(self._heap, (job.due, next(self._number), job))
        self._latest = max(self._latest, job.due)

    def bound(self, latest: int) -> None:
        """Let nothing rest beyond `latest`: a due time may be of a clock that was a day ahead."""
        if self._latest > latest:
            self._heap = [(min(due, latest), number, job) for due, number, job in self._heap]
            heapq.heapify(self._heap)
            self._latest = latest

    def take(self, now: int) -> Iterator[Job[M]]:
        """Yield the jobs that are due, and forget them."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]
