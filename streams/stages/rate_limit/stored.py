"""What one seal adds to one slice, as a value in the changelog: 16 bytes for each counted message."""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from streams.core.positions import Positions
from streams.stages.rate_limit.window import NEVER

LARGEST = 32_768  # messages in one value: half of what a broker takes by default

_HEAD = struct.Struct("<BqqII")
_LAST, _WITH_ERA = 1, 2  # flags in the first byte; values of before eras have no more than the first of them
_ERA = struct.Struct("<qq")


class Counted(NamedTuple):
    """A message that counts. The offset tells it from every other: counted again after a kill, it counts once."""

    offset: int
    guest: int
    at: int  # ms, event time


class Addition(NamedTuple):
    """`last`: with this value everything up to the offset `covered` is stored. Only then are there positions.

    Everything counted is of one era.
    """

    last: bool
    covered: int
    log_time: int
    positions: Positions
    counted: Sequence[Counted]
    era: int = 0
    back_since: int = NEVER

    def pack(self, end: int) -> bytes:
        """Return the value for the slice that ends at `end`, near which all times lie."""
        size = len(self.counted)
        return b"".join(
            (
                _HEAD.pack(self.last | _WITH_ERA, self.covered, self.log_time, len(self.positions), size),
                _ERA.pack(self.era, self.back_since),
                struct.pack(f"<{2 * len(self.positions)}q", *(n for pair in self.positions.items() for n in pair)),
                struct.pack(f"<{size}Q", *(message.guest for message in self.counted)),
                struct.pack(f"<{size}i", *(message.at - end for message in self.counted)),
                struct.pack(f"<{size}I", *(self.covered - message.offset for message in self.counted)),
            )
        )

    @classmethod
    def unpack(cls, end: int, value: bytes) -> "Addition":
        flags, covered, log_time, raws, size = _HEAD.unpack_from(value)
        start, era, back_since = _HEAD.size, 0, NEVER
        if flags & _WITH_ERA:
            era, back_since = _ERA.unpack_from(value, start)
            start += _ERA.size
        pairs = struct.iter_unpack("<qq", value[start : start + 16 * raws])
        numbers = struct.unpack_from(f"<{size}Q{size}i{size}I", value, start + 16 * raws)
        counted = [
            Counted(covered - behind, guest, end + since)
            for guest, since, behind in zip(numbers[:size], numbers[size : 2 * size], numbers[2 * size :], strict=True)
        ]
        return cls(bool(flags & _LAST), covered, log_time, dict(pairs), counted, era, back_since)


def guest_number(guest: str) -> int:
    """Return 64 bits of BLAKE2b. Among a million active guests two share one with a chance of 1 in 37 million."""
    return int.from_bytes(blake2b(guest.encode(), digest_size=8).digest(), "little")
