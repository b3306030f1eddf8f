"""Event ids seen within a horizon, as 8-byte fingerprints."""

from collections.abc import Iterable
from hashlib import blake2b
from math import inf

SLICES = 3  # of the horizon: whole slices are forgotten, so an id is remembered for 1 to 1 1/3 horizons
FINGERPRINT_BYTES = 8


def fingerprint(event_id: bytes) -> bytes:
    """Return 64 bits of BLAKE2b.

    Among a million ids within the horizon, one false match is to be expected in 18 million horizons.
    """
    return blake2b(event_id, digest_size=FINGERPRINT_BYTES).digest()


class Seen:
    """Fingerprints by slice of time. Time is the log's (record timestamps): a replay decides as the first run did."""

    def __init__(self, horizon: int) -> None:
        """`horizon` in milliseconds."""
        self._length = max(1, horizon // SLICES)
        self._slices: dict[int, set[bytes]] = {}
        self._older: tuple[set[bytes], ...] = ()  # than the newest
        self._newest: set[bytes] = set()
        self.newest = -1
        self.until = -inf  # ms: from here on it is time for another slice

    def slice_at(self, at: int) -> int:
        """Return the slice of a time, as its start (ms). Time never goes back: an earlier one counts as the newest."""
        return max(at - at % self._length, self.newest)

    def advance(self, index: int) -> int:
        """Make `index` the newest slice; return the oldest that is still remembered."""
        oldest = index - SLICES * self._length
        self._slices = {kept: numbers for kept, numbers in self._slices.items() if kept >= oldest}
        self.newest, self.until = index, index - index % self._length + self._length
        self.remember(index, ())
        return oldest

    def first_time(self, number: bytes) -> bool:
        """Whether `number` was not seen within the horizon; from now on it was, in the newest slice.

        Needs an `advance` before.
        """
        for numbers in self._older:
            if number in numbers:
                return False
        newest = self._newest
        known = len(newest)
        newest.add(number)
        return len(newest) > known

    def remember(self, index: int, numbers: Iterable[bytes]) -> None:
        """Know `numbers` of the slice `index`."""
        self._slices.setdefault(index, set()).update(numbers)
        self._newest = self._slices.get(self.newest, self._newest)
        self._older = tuple(known for known in self._slices.values() if known is not self._newest)

    def __len__(self) -> int:
        return sum(map(len, self._slices.values()))
