"""One minute of one partition of events: its sums, and the fingerprints of who was in it."""

from collections.abc import Iterator
from hashlib import blake2b

import orjson

from schemas.records import AnalyticsEvent, MinutePartial

REMEMBERED = 65_536  # fingerprints of one kind, minute and queue that are not published twice
MOST_FINGERPRINTS = 8192  # in one partial, which is 64 KiB of each kind


class Fingerprints:
    """Which ids were seen since the last flush. What is published is remembered for a while, not stored."""

    __slots__ = ("_published", "fresh")

    def __init__(self) -> None:
        self.fresh: set[bytes] = set()
        self._published: set[bytes] = set()

    def add(self, name: str) -> None:
        fingerprint = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if fingerprint not in self._published:
            self.fresh.add(fingerprint)

    def take(self) -> list[bytes]:
        """Return what is new, in slices of at most `MOST_FINGERPRINTS`."""
        new, self.fresh = sorted(self.fresh), set()
        if len(self._published) + len(new) <= REMEMBERED:
            self._published.update(new)
        return [b"".join(new[i : i + MOST_FINGERPRINTS]) for i in range(0, len(new), MOST_FINGERPRINTS)]


class Partial:
    """One minute of one queue, or over all queues. Times are in whole milliseconds: their sums are exact."""

    __slots__ = (
        "agents",
        "events",
        "handle_time",
        "handles",
        "interactions",
        "minute",
        "queue",
        "upto",
        "wait_time",
        "waits",
    )

    def __init__(self, minute: int, queue: str) -> None:
        self.minute, self.queue = minute, queue
        self.upto = -1
        self.events = self.handle_time = self.handles = self.wait_time = self.waits = 0
        self.interactions, self.agents = Fingerprints(), Fingerprints()

    @property
    def key(self) -> bytes:
        return f"{self.minute}|{self.queue}".encode()

    def count(self, event: AnalyticsEvent, offset: int) -> None:
        """Count an event, unless it is counted."""
        if offset <= self.upto:
            return
        self.upto = offset
        self.events += 1
        if event.metrics.handle_time is not None:
            self.handle_time += round(event.metrics.handle_time * 1000)
            self.handles += 1
        if event.metrics.wait_time is not None:
            self.wait_time += round(event.metrics.wait_time * 1000)
            self.waits += 1

    def published(self) -> Iterator[MinutePartial]:
        """Yield it as it goes out: once, or more often where many fingerprints are new."""
        interactions, agents = self.interactions.take(), self.agents.take()
        for i in range(max(len(interactions), len(agents), 1)):
            yield MinutePartial(
                self.minute,
                self.queue,
                self.upto,
                self.events,
                self.handle_time,
                self.handles,
                self.wait_time,
                self.waits,
                interactions[i] if i < len(interactions) else b"",
                agents[i] if i < len(agents) else b"",
            )

    def stored(self) -> bytes:
        sums = (self.upto, self.events, self.handle_time, self.handles, self.wait_time, self.waits)
        return orjson.dumps({"sums": sums})

    @classmethod
    def restored(cls, key: bytes, value: bytes) -> "Partial":
        minute, _, queue = key.decode().partition("|")
        partial = cls(int(minute), queue)
        (
            partial.upto, partial.events, partial.handle_time, partial.handles, partial.wait_time, partial.waits,
        ) = orjson.loads(value)["sums"]  # fmt: skip
        return partial
