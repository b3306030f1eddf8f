"""What one seal adds to one slice, as a value in the changelog: 16 bytes for each counted message."""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from streams.source import Positions

LARGEST = 32_768  # messages in one value: half of what a broker takes by default

_HEAD = struct.Struct("<?qqII")


class Counted(NamedTuple):
    """A message that counts. The offset tells it from every other: counted again after a kill, it counts once."""

    offset: int
    guest: int
    at: int  # ms, event time


class Addition(NamedTuple):
    """`last`: with this value everything up to the offset `covered` is stored. Only then are there positions."""

    last: bool
    covered: int
    log_time: int
    positions: Positions
    counted: Sequence[Counted]

    def pack(self, end: int) -> bytes:
        """Return the value for the slice that ends at `end`, near which all times lie."""
        size = len(self.counted)
        return b"".join(
            (
                _HEAD.pack(self.last, self.covered, self.log_time, len(self.positions), size),
                struct.pack(f"<{2 * len(self.positions)}q", *(n for pair in self.positions.items() for n in pair)),
                struct.pack(f"<{size}Q", *(message.guest for message in self.counted)),
                struct.pack(f"<{size}i", *(message.at - end for message in self.counted)),
                struct.pack(f"<{size}I", *(self.covered - message.offset for message in self.counted)),
            )
        )

    @classmethod
    def unpack(cls, end: int, value: bytes) -> "Addition":
        last, covered, log_time, raws, size = _HEAD.unpack_from(value)
        pairs = struct.iter_unpack("<qq", value[_HEAD.size : _HEAD.size + 16 * raws])
        numbers = struct.unpack_from(f"<{size}Q{size}i{size}I", value, _HEAD.size + 16 * raws)
        counted = [
            Counted(covered - behind, guest, end + since)
            for guest, since, behind in zip(numbers[:size], numbers[size : 2 * size], numbers[2 * size :], strict=True)
        ]
        return cls(last, covered, log_time, dict(pairs), counted)


def guest_number(guest: str) -> int:
    """Return 64 bits of BLAKE2b. Among a million active guests two share one with a chance of 1 in 37 million."""
    return int.from_bytes(blake2b(guest.encode(), digest_size=8).digest(), "little")
