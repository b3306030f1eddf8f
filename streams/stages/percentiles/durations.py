"""The durations of one window: exact counts while they are few, buckets of 1 % relative error when they are many."""

from bisect import bisect_right
from itertools import accumulate
from math import ceil, fsum, log
from typing import Any

import msgspec

from schemas.records import Summary

ERROR = 0.01  # relative, of a value read back from its bucket
GAMMA = (1 + ERROR) / (1 - ERROR)
LOG_GAMMA = log(GAMMA)
SMALLEST = 1e-3  # seconds: shorter durations share one bucket and read back as 0
ZERO = -1_000_000  # index of that bucket
QUANTILES = (0.50, 0.90, 0.95)


class Durations(msgspec.Struct, eq=False, gc=False):
    """Counts of durations in seconds.

    Exact: `counts` maps each value to how often it came. `settle` collapses more than `limit` distinct values into
    logarithmic buckets: bucket i holds (GAMMA^(i-1), GAMMA^i] and reads back as the value whose relative error to
    both ends is `ERROR` (Masson, Rim, Lee: DDSketch, VLDB 2019). Minimum, maximum and mean stay exact.

    A struct, because the garbage collector passes over those: 80,000 hours are 240,000 objects that make no circle.
    """

    counts: dict[float, int] = {}
    buckets: dict[int, int] = {}
    low: float = float("inf")  # of what is in buckets, as the next two
    high: float = 0.0
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[value] = self.counts.get(value, 0) + 1

    @property
    def exact(self) -> bool:
        return not self.buckets

    def settle(self, limit: int) -> None:
        """Keep at most `limit` distinct exact values: beyond that, everything goes into buckets."""
        if not self.counts or (self.exact and len(self.counts) <= limit):
            return
        for value, count in self.counts.items():
            index = ZERO if value < SMALLEST else ceil(log(value) / LOG_GAMMA)
            self.buckets[index] = self.buckets.get(index, 0) + count
        self.low, self.high = min(self.low, *self.counts), max(self.high, *self.counts)
        self.total += fsum(value * count for value, count in self.counts.items())
        self.counts = {}

    def summary(self) -> Summary:
        """Return percentiles by linear interpolation between closest ranks (numpy's `linear`), and the rest.

        Call it settled, with at least one duration.
        """
        values, upto = self._ranked()
        n = upto[-1]
        found = []
        for quantile in QUANTILES:
            position = quantile * (n - 1)
            below = int(position)
            a, b = values[bisect_right(upto, below)], values[bisect_right(upto, min(below + 1, n - 1))]
            found.append(a + (b - a) * (position - below))
        p50, p90, p95 = found
        if self.exact:
            total = fsum(value * count for value, count in self.counts.items())
            return Summary(p50, p90, p95, min=values[0], max=values[-1], mean=total / n)
        return Summary(p50, p90, p95, min=self.low, max=self.high, mean=self.total / n)

    def _ranked(self) -> tuple[list[float], list[int]]:
        """Return the distinct values in order, and how many durations there are up to each."""
        if self.exact:
            values = sorted(self.counts)
            return values, list(accumulate(map(self.counts.__getitem__, values)))
        indices = sorted(self.buckets)
        values = [min(max(_read(index), self.low), self.high) for index in indices]
        return values, list(accumulate(map(self.buckets.__getitem__, indices)))

    def stored(self) -> dict[str, Any]:
        """Return what `restored` reads, in JSON's types."""
        if self.exact:
            return {"values": list(self.counts), "counts": list(self.counts.values())}
        return {
            "buckets": list(self.buckets),
            "counts": list(self.buckets.values()),
            "low": self.low,
            "high": self.high,
            "total": self.total,
        }

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "Durations":
        durations = cls()
        if "values" in stored:
            durations.counts = dict(zip(stored["values"], stored["counts"], strict=True))
        else:
            durations.buckets = dict(zip(stored["buckets"], stored["counts"], strict=True))
            durations.low, durations.high, durations.total = stored["low"], stored["high"], stored["total"]
        return durations


def _read(index: int) -> float:
    if index == ZERO:
        return 0.0
    return float(2 * GAMMA**index / (GAMMA + 1))
