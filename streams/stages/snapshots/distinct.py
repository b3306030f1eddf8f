"""How many different ids a minute has, from their fingerprints."""

from collections.abc import Iterator

BYTES = 8  # of a fingerprint
LIMIT = 65_536  # different ones that are counted exactly
SLICE = 2048  # fingerprints stored under one key, which is 16 KiB


class Distinct:
    """A set of fingerprints that only grows, up to `LIMIT`.

    A union does not depend on the order in which its parts come; nor does the count, which beyond the limit is the
    limit itself. Fingerprints are stored in slices, of which a flush writes only those that are new or were not full:
    what a slice of a restored set lacks comes again with the partial that brought it.
    """

    __slots__ = ("_fingerprints", "_new", "_order", "_stored", "exact")

    def __init__(self) -> None:
        self._fingerprints: set[bytes] = set()
        self._order = bytearray()  # as they came, so that full slices stay as they are
        self._stored = 0  # bytes of it
        self.exact = True

    def __len__(self) -> int:
        return len(self._fingerprints)

    def add(self, fingerprints: bytes) -> None:
        """Take fingerprints in, one behind the other."""
        for i in range(0, len(fingerprints) - BYTES + 1, BYTES):
            fingerprint = fingerprints[i : i + BYTES]
            if fingerprint in self._fingerprints:
                continue
            if len(self._fingerprints) == LIMIT:
                self.exact = False
                return
            self._fingerprints.add(fingerprint)
            self._order += fingerprint

    def changes(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, content) of each slice that is not stored as it is now."""
        size, total = SLICE * BYTES, len(self._order)
        if self._stored < total:
            for start in range(self._stored - self._stored % size, total, size):
                yield start // size, bytes(self._order[start : start + size])
        self._stored = total

    def slices(self) -> range:
        """Return the numbers of the slices that are stored."""
        return range(-(-self._stored // (SLICE * BYTES)))

    def restore(self, slices: dict[int, bytes], *, exact: bool) -> None:
        """Take up what `changes` gave, by its numbers."""
        for number in sorted(slices):
            self.add(slices[number])
        self._stored = len(self._order)
        self.exact = exact
