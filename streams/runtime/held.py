"""Chunks that are folded and not acknowledged: Faust's events, in order."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
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


Taken = dict[int, dict[str, deque[HeldChunk]]]  # partition -> topic -> its chunks, in order; none is empty


class Held:
    """What a stage holds; `records` and `bytes` of it in all, also of what is taken and not acknowledged yet.

    A flush costs what it acknowledges and what came since, not what is held: while a sink is away the same thousands
    are taken, and held again, with every chunk that comes.

    `clock` is in seconds, and does not go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = self.bytes = 0
        self._clock, self._since = clock, 0.0
        self._chunks: Taken = {}

    @property
    def seconds(self) -> float:
        """For how long something is held and nothing was acknowledged."""
        return self._clock() - self._since if self.records else 0.0

    def add(self, chunk: HeldChunk) -> None:
        """Hold a chunk that comes behind all others of its topic and partition."""
        if not self.records:
            self._since = self._clock()
        self._chunks.setdefault(chunk.partition, {}).setdefault(chunk.topic, deque()).append(chunk)
        self.records += chunk.records
        self.bytes += chunk.bytes

    def take(self, partitions: Iterable[int]) -> Taken:
        """Return what is held of `partitions`: a flush is about to settle it."""
        return {partition: self._chunks.pop(partition) for partition in partitions if partition in self._chunks}

    def acknowledge(self, taken: Taken, flushes: Mapping[int, Flush]) -> list[HeldChunk]:
        """Acknowledge what `flushes` have settled, and hold the rest again. Returns what is acknowledged now."""
        settled: list[HeldChunk] = []
        for partition, topics in taken.items():
            flush = flushes.get(partition)
            reached = None if flush is None else flush.reached
            for topic, chunks in topics.items():
                last = math.inf if reached is None else reached.get(topic, -1)
                while chunks and chunks[0].last <= last:
                    settled.append(chunks.popleft())
                if chunks:
                    self._hold_again(partition, topic, chunks)
        for chunk in settled:
            chunk.event.ack()
            self.records -= chunk.records
            self.bytes -= chunk.bytes
            self._since = self._clock()
        return settled

    def _hold_again(self, partition: int, topic: str, chunks: deque[HeldChunk]) -> None:
        topics = self._chunks.setdefault(partition, {})
        chunks.extend(topics.get(topic, ()))  # they came meanwhile
        topics[topic] = chunks
