"""Event ids seen within a horizon, as 8-byte fingerprints: about 16 bytes an id."""

from array import array
from collections.abc import Iterable
from hashlib import blake2b

SLICES = 3  # of the horizon: whole slices are forgotten, so an id is remembered for 1 to 1 1/3 horizons


def fingerprint(event_id: str) -> int:
    """Return 64 bits of BLAKE2b, never 0.

    Among a million ids within the horizon, one false match is to be expected in 18 million horizons.
    """
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little") or 1


class FingerprintSet:
    """A set of non-zero 64-bit numbers: open addressing in one array, at most two thirds full."""

    __slots__ = ("_mask", "_slots", "_used")

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 64))
        self._mask = 63
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __contains__(self, number: int) -> bool:
        slots, mask = self._slots, self._mask
        i = number & mask
        while found := slots[i]:
            if found == number:
                return True
            i = (i + 1) & mask
        return False

    def add(self, number: int) -> None:
        slots, mask = self._slots, self._mask
        i = number & mask
        while found := slots[i]:
            if found == number:
                return
            i = (i + 1) & mask
        slots[i] = number
        self._used += 1
        if 3 * self._used > 2 * len(slots):
            self._grow()

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        self._mask, self._used = len(self._slots) - 1, 0
        for number in filter(None, old):
            self.add(number)


class Seen:
    """Fingerprints by slice of time. Time is the log's (record timestamps): a replay decides as the first run did."""

    def __init__(self, horizon: int) -> None:
        """`horizon` in milliseconds."""
        self._length = max(1, horizon // SLICES)
        self._slices: dict[int, FingerprintSet] = {}
        self.newest = -1

    def slice_at(self, at: int) -> int:
        """Return the slice of a time, as its start (ms). Time never goes back: an earlier one counts as the newest."""
        return max(at - at % self._length, self.newest)

    def advance(self, index: int) -> int:
        """Make `index` the newest slice; return the oldest that is still remembered."""
        oldest = index - SLICES * self._length
        if index != self.newest:
            self.newest = index
            self._slices = {kept: numbers for kept, numbers in self._slices.items() if kept >= oldest}
        return oldest

    def first_time(self, number: int) -> bool:
        """Whether `number` was not seen within the horizon; from now on it was, in the newest slice."""
        for numbers in self._slices.values():
            if number in numbers:
                return False
        self._slice(self.newest).add(number)
        return True

    def remember(self, index: int, numbers: Iterable[int]) -> None:
        add = self._slice(index).add
        for number in numbers:
            add(number)

    def _slice(self, index: int) -> FingerprintSet:
        numbers = self._slices.get(index)
        if numbers is None:
            numbers = self._slices[index] = FingerprintSet()
        return numbers

    def __len__(self) -> int:
        return sum(map(len, self._slices.values()))
