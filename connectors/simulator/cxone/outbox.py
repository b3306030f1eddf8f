"""Deliveries between the generator and the sockets: nothing that a client has not had is forgotten. No I/O.

    [ confirmed, kept for a while | written, not confirmed | not written ]
      ^ `oldest`: a new subscriber starts here                            ^ `end`

A client confirms by answering a WebSocket ping that was written after the frames. CXone itself repeats nothing after a
reconnect; the stand-in does, so that a test which breaks connections or kills the connector can still tell a frame that
the connector lost from one that the network lost.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """Numbered deliveries, at most `capacity` of them; those confirmed `keep` seconds ago are dropped."""

    def __init__(self, *, capacity: int = 100_000, keep: float = 5.0) -> None:
        self._capacity = capacity
        self._keep = keep
        self._entries: dict[int, T] = {}
        self._confirmed: deque[tuple[float, int]] = deque()  # (when, everything before this number)
        self.oldest = 0
        self.end = 0

    @property
    def room(self) -> int:
        """How many more deliveries fit. While there are none, the traffic has to wait."""
        return self._capacity - len(self._entries)

    @property
    def unconfirmed(self) -> int:
        return self.end - self._confirmed_before

    def append(self, delivery: T) -> None:
        self._entries[self.end] = delivery
        self.end += 1

    def read(self, start: int, most: int) -> Sequence[tuple[int, T]]:
        """Return up to `most` numbered deliveries from `start`, or from the oldest kept when that is later."""
        first = max(start, self.oldest)
        return [(number, self._entries[number]) for number in range(first, min(first + most, self.end))]

    def confirm(self, before: int, at: float) -> None:
        """Note that a client has had every delivery numbered below `before`."""
        if self._confirmed_before < before <= self.end:
            self._confirmed.append((at, before))

    def forget(self, now: float) -> None:
        """Drop what was confirmed long enough ago."""
        while self._confirmed and self._confirmed[0][0] <= now - self._keep:
            _, before = self._confirmed.popleft()
            for number in range(self.oldest, before):
                del self._entries[number]
            self.oldest = before

    @property
    def _confirmed_before(self) -> int:
        return self._confirmed[-1][1] if self._confirmed else self.oldest
