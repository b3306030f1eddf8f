"""What is final and what may be forgotten, from the event time that travels on the wire.

The stage that reads a raw topic tells how far each partition of it has come, and up to where it has published what it
read (`EventTimeProgress`). Whoever aggregates what was published applies that when it has folded everything up to
there. So the watermark stands behind every raw partition, also behind one that was not heard of yet.
"""

from collections import deque
from collections.abc import Mapping
from operator import lt
from typing import Any

from schemas.records import EventTimeProgress

# Brokers' clocks differ: something that arrives may be stamped by one that is so far behind another (ms).
BROKERS_APART = 60_000
PENDING = 64  # times that wait; beyond it every other one is left out: the next says as much

Passed = tuple[int, int]  # event time and log time that all raw partitions have passed, in ms


class RawProgress:
    """What was told of the raw partitions of one topic, for all readers of one destination.

    One for all partitions of the destination: of R raw partitions and P of the destination, R x P offsets are told
    every second or two, and kept once. A reader asks for two numbers.

    Attributes:
        latest: {raw partition: what was told of it last}.
    """

    def __init__(self) -> None:
        self.latest: dict[int, EventTimeProgress] = {}
        self._passed: dict[int, Passed] = {}  # raw partition -> the most that it has passed
        self._awaited: list[int] = []  # by partition of the destination: the highest offset that somebody names
        self._by_all: Passed | None = None
        self._by_all_known = True

    def take(self, progress: EventTimeProgress) -> None:
        """Note what is told of a raw partition: it takes the place of what was told before."""
        raw, before = progress.partition, self.latest.get(progress.partition)
        self.latest[raw] = progress
        passed, lowest = self._passed.get(raw, (0, 0)), self._by_all
        others_behind = lowest is not None and passed[0] > lowest[0] and passed[1] > lowest[1]
        if before is None or before.partitions != progress.partitions or not others_behind:
            self._by_all_known = False
        if before is not None and _goes_back(before.reached, progress.reached):  # one of the topics was made again
            passed, self._awaited, self._by_all_known = (0, 0), [], False
            for each in self.latest.values():
                self._awaited = _highest(self._awaited, each.reached)
        elif before is None or before.reached != progress.reached:
            self._awaited = _highest(self._awaited, progress.reached)
        self._passed[raw] = max(passed[0], progress.passed), max(passed[1], progress.log_time)

    @property
    def partitions(self) -> int:
        """How many the raw topic has, as far as that was told."""
        return max((progress.partitions for progress in self.latest.values()), default=0)

    @property
    def by_all(self) -> Passed | None:
        """What all raw partitions have passed; None while one was not told of. The same object until it changes."""
        if not self._by_all_known:
            now, self._by_all_known = self._lowest(), True
            if now != self._by_all:
                self._by_all = now
        return self._by_all

    def awaited(self, partition: int) -> int:
        """Return the offset of a partition up to which `by_all` speaks of; -1 where there is nothing to wait for."""
        return self._awaited[partition] if partition < len(self._awaited) else -1

    def _lowest(self) -> Passed | None:
        partitions = self.partitions
        if not partitions or not all(raw in self._passed for raw in range(partitions)):
            return None
        passed, log_times = zip(*self._passed.values(), strict=True)
        return min(passed), min(log_times)


def _highest(one: list[int], other: list[int]) -> list[int]:
    both = zip(*_alike(one, other), strict=True)
    return [mine if mine > its else its for mine, its in both]  # noqa: FURB136 - max() costs four times it


def _goes_back(before: list[int], now: list[int]) -> bool:
    return before != now and any(map(lt, *_alike(now, before)))


def _alike(one: list[int], other: list[int]) -> tuple[list[int], list[int]]:
    """Return both with the same length."""
    missing = len(one) - len(other)
    return one + [-1] * -missing, other + [-1] * missing


class Watermark:
    """Of one partition of a topic whose events come from one raw topic. Times in milliseconds; they never go back.

    What was told of all raw partitions is looked at together: what they have all passed counts when everything is
    folded that one of them waits for. So a partition keeps a time or two, however many raw partitions there are.

    `raw` is asked in `advance` alone, so that all that one flush decides is decided by the same times.

    Attributes:
        reached: the event time that all raw partitions have passed: what ends before it is final, but for lateness.
        log_time: every event that comes later has at least this log time: what nothing can change may be forgotten.
    """

    def __init__(self, partition: int, raw: RawProgress) -> None:
        self._partition, self._raw = partition, raw
        self.reached = self.log_time = 0
        self._taken = -1  # the last offset that was folded
        self._pending: deque[tuple[int, Passed]] = deque()  # what has to be folded before, and times, both rising

    def take(self, offset: int) -> None:
        """Note that everything up to `offset` of the partition is folded."""
        self._taken = max(self._taken, offset)

    def advance(self) -> int:
        """Apply what was told, as far as it waits for nothing that is still to be folded. Returns `reached`."""
        pending, passed, awaited = self._pending, self._raw.by_all, self._raw.awaited(self._partition)
        while pending and pending[-1][0] > awaited:
            pending.pop()  # of a topic that was made again since: what it awaits may never come
        if passed is not None and not (pending and pending[-1][1] is passed):
            pending.append((awaited, passed))
            if len(pending) > PENDING:
                pending = self._pending = deque(list(pending)[1::2])
        while pending and pending[0][0] <= self._taken:
            _, (reached, log_time) = pending.popleft()
            self.reached, self.log_time = max(self.reached, reached), max(self.log_time, log_time)
        return self.reached

    def stored(self) -> dict[str, Any]:
        """Return what `restore` takes, in JSON's types."""
        return {"reached": self.reached, "log_time": self.log_time, "taken": self._taken}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from where an earlier life was."""
        self.reached, self.log_time = stored.get("reached", 0), stored.get("log_time", 0)
        self._taken = stored.get("taken", -1)
