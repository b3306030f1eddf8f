"""How far changelogs are read, where transactions leave offsets without a record.

Faust takes a changelog for restored when the record before its end has come. With transactions no record may be there:
only the marker of a commit, or records that were aborted.
"""

from faust.types import TP


class ChangelogReading:
    """Positions of a recovery. What a fetch brings counts only where it continues what was read."""

    def __init__(self) -> None:
        self._position: dict[TP, int] = {}
        self._handed_out: dict[TP, int] = {}  # offset of the last record

    def begin(self, tp: TP, position: int) -> None:
        """Read a changelog from `position` on."""
        self._position[tp] = position
        self._handed_out.pop(tp, None)

    def position(self, tp: TP) -> int | None:
        """Return up to where a changelog is read; None of one that is not."""
        return self._position.get(tp)

    def passed(self, tp: TP, start: int | None, end: int, *, last: int | None = None) -> bool:
        """Note that a fetch led from `start` to `end`, its last record being `last`. Returns whether that is news."""
        position = self._position.get(tp)
        if last is not None:
            self._handed_out[tp] = last
        if position is None or start is None or not start <= position < end:
            return False
        self._position[tp] = end
        return True

    def nothing_left(self, tp: TP, end: int, applied: int) -> bool:
        """Whether everything before `end` is read, and what was handed out is `applied` (an offset)."""
        return self._position.get(tp, 0) >= end and self._handed_out.get(tp, -1) <= applied
