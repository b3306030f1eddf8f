"""Chunks that are folded and not acknowledged: Faust's events, in order."""

import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from streams.core.contract import Flush


@dataclass(slots=True)
class HeldChunk:
    """One of them; `last` is its last offset, `records` how many it had, of so many `bytes`.

    `since` is the log time of its first record, in ms; None where it had none.
    """

    event: Any
    topic: str
    partition: int
    last: int
    records: int
    bytes: int
    since: int | None


class Held:
    """What a stage holds; `records` and `bytes` of it in all, also of what is taken and not acknowledged yet.

    `clock` is in seconds, and does not go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = self.bytes = 0
        self._clock, self._since = clock, 0.0
        self._chunks: list[HeldChunk] = []

    @property
    def seconds(self) -> float:
        """For how long something is held and nothing was acknowledged."""
        return self._clock() - self._since if self.records else 0.0

    def add(self, chunk: HeldChunk) -> None:
        if not self.records:
            self._since = self._clock()
        self._chunks.append(chunk)
        self.records += chunk.records
        self.bytes += chunk.bytes

    def take(self, partitions: Container[int]) -> list[HeldChunk]:
        """Return what is held of `partitions`: a flush is about to settle it."""
        taken = [chunk for chunk in self._chunks if chunk.partition in partitions]
        self._chunks = [chunk for chunk in self._chunks if chunk.partition not in partitions]
        return taken

    def acknowledge(self, taken: list[HeldChunk], flushes: Mapping[int, Flush]) -> list[HeldChunk]:
        """Acknowledge what `flushes` have settled, and hold the rest again. Returns what is acknowledged now."""
        left, settled = [], []
        for chunk in taken:
            flush = flushes.get(chunk.partition)
            if flush is not None and flush.reached is not None and flush.reached.get(chunk.topic, -1) < chunk.last:
                left.append(chunk)
            else:
                chunk.event.ack()
                settled.append(chunk)
                self.records -= chunk.records
                self.bytes -= chunk.bytes
                self._since = self._clock()
        self._chunks = left + self._chunks
        return settled
