"""What one seal adds to one slice, as parts in the changelog: 16 bytes for each counted message."""

import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from streams.stages.rate_limit.window import NEVER

LARGEST = 32_768  # messages in one part: half of what a broker takes by default
_BYTES = 16  # of a message


class Counted(NamedTuple):
    """A message that counts. The offset tells it from every other: counted again after a kill, it counts once."""

    offset: int
    guest: int
    at: int  # ms, event time


class Head(msgspec.Struct, frozen=True):
    """Where the partition is, with a whole seal: {"era": 0, "log_time": 7, "back_since": 9, "positions": [[0, 41]]}."""

    era: int = 0
    log_time: int = 0
    back_since: int = NEVER
    positions: list[tuple[int, int]] = []


def pack(counted: Sequence[Counted], end: int, covered: int) -> list[bytes]:
    """Return parts of the slice that ends at `end`, near which all times lie, in a seal up to the offset `covered`."""
    return [_pack(counted[first : first + LARGEST], end, covered) for first in range(0, len(counted), LARGEST)]


def unpack(part: bytes, end: int, covered: int) -> Iterator[Counted]:
    """Return what `pack` was given."""
    size = len(part) // _BYTES
    numbers = struct.unpack(f"<{size}Q{size}i{size}I", part)
    for guest, since, behind in zip(numbers[:size], numbers[size : 2 * size], numbers[2 * size :], strict=True):
        yield Counted(covered - behind, guest, end + since)


def _pack(counted: Sequence[Counted], end: int, covered: int) -> bytes:
    size = len(counted)
    return b"".join(
        (
            struct.pack(f"<{size}Q", *(message.guest for message in counted)),
            struct.pack(f"<{size}i", *(message.at - end for message in counted)),
            struct.pack(f"<{size}I", *(covered - message.offset for message in counted)),
        )
    )


def guest_number(guest: str) -> int:
    """Return 64 bits of BLAKE2b. Among a million active guests two share one with a chance of 1 in 37 million."""
    return int.from_bytes(blake2b(guest.encode(), digest_size=8).digest(), "little")
