"""Which records of one topic's partition are settled, when they settle out of order."""

from collections import deque
from collections.abc import Iterable

from streams.core.taken import Positions, Source


class Track:
    """Settled offsets of one partition.

    Every offset below `front` is settled; `positions` are the source positions (raw partition -> highest raw offset) of
    those records. Of later ones, `beyond` are settled. These three are what has to be stored: records that come again
    after a kill are told apart by them.
    """

    __slots__ = ("_folded", "beyond", "front", "positions")

    def __init__(self, front: int = 0, beyond: Iterable[int] = (), positions: Positions | None = None) -> None:
        self.front = front
        self.beyond = set(beyond)
        self.positions: Positions = positions or {}
        self._folded: deque[tuple[int, Source | None]] = deque()  # (offset, source position) from `front` on

    def take(self, offset: int, source: Source | None = None) -> bool:
        """Note that a record was folded. Returns whether it is still to be settled."""
        if offset < self.front:
            return False
        self._folded.append((offset, source))
        if offset in self.beyond:
            self._advance()
            return False
        return True

    def settle(self, offset: int) -> None:
        """Note that nothing is left to do about a record."""
        self.beyond.add(offset)
        self._advance()

    def _advance(self) -> None:
        folded, beyond, positions = self._folded, self.beyond, self.positions
        while folded and folded[0][0] in beyond:
            offset, source = folded.popleft()
            beyond.remove(offset)
            self.front = offset + 1
            if source is not None:
                raw, position = source
                positions[raw] = max(positions.get(raw, -1), position)
