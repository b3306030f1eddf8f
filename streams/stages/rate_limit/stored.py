"""What one seal adds to one slice, as parts in the changelog: 24 bytes for each counted message."""

import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from streams.stages.rate_limit.window import NEVER

LARGEST = 16_384  # messages in one part: half of what a broker takes by default
_WITH_CONVERSATIONS = b"\2"  # begins a part; those of version 1 have none, and are of an even length
_COLUMNS = "QiIQ"  # guests, times after the slice's end, offsets before the seal's, conversations
_COLUMNS_BEFORE = "QiI"  # of version 1
_NONE = 0  # stands for no conversation


class Counted(NamedTuple):
    """A message that counts. The offset tells it from every other: counted again after a kill, it counts once."""

    offset: int
    guest: int
    conversation: int | None  # None: it was refused, or comes from a part of version 1
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
    begins = len(part) % 2
    columns = _COLUMNS if begins else _COLUMNS_BEFORE
    size = (len(part) - begins) // struct.calcsize(f"<{columns}")
    numbers = struct.unpack_from("<" + "".join(f"{size}{column}" for column in columns), part, begins)
    if not begins:
        numbers += (_NONE,) * size
    guests, since, behind, conversations = (numbers[i * size : (i + 1) * size] for i in range(len(_COLUMNS)))
    for guest, after, before, conversation in zip(guests, since, behind, conversations, strict=True):
        yield Counted(covered - before, guest, conversation or None, end + after)


def _pack(counted: Sequence[Counted], end: int, covered: int) -> bytes:
    size = len(counted)
    return b"".join(
        (
            _WITH_CONVERSATIONS,
            struct.pack(f"<{size}Q", *(message.guest for message in counted)),
            struct.pack(f"<{size}i", *(message.at - end for message in counted)),
            struct.pack(f"<{size}I", *(covered - message.offset for message in counted)),
            struct.pack(f"<{size}Q", *(message.conversation or _NONE for message in counted)),
        )
    )


def guest_number(guest: str) -> int:
    """Return 64 bits of BLAKE2b. Among a million active guests two share one with a chance of 1 in 37 million."""
    return int.from_bytes(blake2b(guest.encode(), digest_size=8).digest(), "little")


def conversation_number(conversation: str) -> int:
    """Return other 64 bits than of a guest of the same name; never 0."""
    return int.from_bytes(blake2b(conversation.encode(), digest_size=8, person=b"conversation").digest(), "little") or 1
