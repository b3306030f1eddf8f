"""A chunk: consecutive records of one partition; and which of them may be committed and delivered."""

from collections import deque
from collections.abc import Container


class Coverage:
    """What was delivered of one partition, and how far that has been acknowledged.

    `expected` is the position from which the next record must be delivered: anything before it was delivered already,
    anything after it would leave a hole. `ready` is the position that may be committed: everything before it is
    acknowledged, or is no record at all. `reset` (assignment, seek) forgets chunks under way: their records come again.
    """

    __slots__ = ("_delivered", "_open", "expected", "ready")

    def __init__(self, position: int) -> None:
        self.reset(position)

    def reset(self, position: int) -> None:
        self.expected = self.ready = position
        self._delivered = 0
        self._open: deque[tuple[int, int]] = deque()  # (last offset, position after it) of chunks not acknowledged

    def deliver(self, last: int, end: int) -> int:
        """Record that a chunk from `expected` to `last` goes out, and nothing else before `end`. Return its number."""
        if not self.expected <= last < end:
            raise ValueError(f"a chunk up to {last} (next {end}) cannot follow position {self.expected}")
        self._open.append((last, end))
        self.expected = end
        self._delivered += 1
        return self._delivered - 1

    def skip(self, end: int) -> None:
        """Record that there is no record between `expected` and `end`."""
        self.expected = end
        if not self._open:
            self.ready = end

    def advance(self, acknowledged: Container[int]) -> int:
        """Move `ready` over the chunks whose last offset is in `acknowledged`, up to the first that is not."""
        while self._open and self._open[0][0] in acknowledged:
            self.ready = self._open.popleft()[1]
        if not self._open:
            self.ready = self.expected
        return self.ready
