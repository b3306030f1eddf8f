"""What a broker remembers of our fetches (KIP-227), so that a fetch names only the partitions that changed. No I/O.

Without it every fetch names every partition, and so does every answer: at 1,000 partitions that is most of the work.
"""

from collections.abc import Mapping
from typing import NamedTuple

from faust.types import TP

NO_SESSION, FIRST, LAST = 0, 0, 2**31 - 1


class Asked(NamedTuple):
    """One fetch: of `changed` partitions from these positions on, `forgotten` ones no more.

    In session `id`; with epoch `FIRST` it names all partitions, and begins a new session in its place.
    """

    id: int
    epoch: int
    changed: Mapping[TP, int]
    forgotten: frozenset[TP]


class FetchSession:
    """The fetches from one broker, one at a time: `ask`, then `answered` or `lost`."""

    def __init__(self) -> None:
        self.wanted: dict[TP, int] = {}  # partition -> position
        self.asked: dict[TP, int] = {}  # as the broker knows them, or will with the fetch that is under way
        self._since: dict[TP, int] = {}  # partition -> the fetch with which the broker learnt of it
        self._changed: set[TP] = set()
        self._id, self._epoch = NO_SESSION, FIRST
        self._number, self._answered, self._at = 0, 0, -1
        self.nothing_new = 0  # answers in a row that had no partition in them

    @property
    def has_more(self) -> bool:
        """Whether something is wanted that the last fetch did not ask for."""
        return not self._changed.isdisjoint(self.wanted)

    def want(self, tp: TP, position: int) -> None:
        """Fetch a partition from a position on."""
        if self.wanted.get(tp) != position:
            self.wanted[tp] = position
            self._changed.add(tp)

    def drop(self, tp: TP) -> None:
        """Fetch a partition no more."""
        if self.wanted.pop(tp, None) is not None:
            self._changed.add(tp)

    def ask(self) -> Asked:
        """Return the next fetch."""
        if self._epoch == FIRST:
            asked = Asked(self._id, FIRST, dict(self.wanted), frozenset())
            self.asked = {}
        else:
            changed = {tp: self.wanted[tp] for tp in self._changed if tp in self.wanted}
            asked = Asked(self._id, self._epoch, changed, frozenset(self._changed & self.asked.keys() - changed.keys()))
        self._number += 1
        for tp, position in asked.changed.items():
            if tp not in self.asked:
                self._since[tp] = self._number
            self.asked[tp] = position
        for tp in asked.forgotten:
            del self.asked[tp]
        self._changed = set()
        return asked

    def answered(self, session: int, at: int, *, news: bool = True) -> None:
        """Take an answer, which names the session that goes on, at a time in ms."""
        self.nothing_new = 0 if news else self.nothing_new + 1
        self._answered, self._at = self._number, at
        if session == NO_SESSION:
            self._id, self._epoch = NO_SESSION, FIRST
        else:
            self._id, self._epoch = session, 1 if self._epoch in {FIRST, LAST} else self._epoch + 1

    def lost(self) -> None:
        """Begin anew: the broker may have taken the last fetch, or not."""
        self._epoch = FIRST
        self.nothing_new = 0

    def heard_of(self, tp: TP) -> int:
        """Return when (ms) a fetch of a partition was answered last, with news of it or without; -1 if none was."""
        return self._at if tp in self.asked and self._since[tp] <= self._answered else -1
