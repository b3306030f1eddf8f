"""Positions in five bytes or so each: with a thousand raw partitions each partition stores a thousand with a flush.

Two columns of integers, each as narrow as its largest number: steps from one raw partition to the next, and how far
each offset lies above the lowest of all.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

from streams.core.taken import Positions

_ABOUT = struct.Struct("<IqBB")  # how many; the lowest offset; bytes of a step, and of what lies above that
_WIDTHS = ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))
_CODES = dict(_WIDTHS)


def pack(positions: Positions) -> bytes:
    """Return what `unpack` reads. Raw partitions are 0 or more."""
    raws = sorted(positions)
    steps = [*raws[:1], *map(sub, raws[1:], raws)]
    lowest = min(positions.values(), default=0)
    above = [positions[raw] - lowest for raw in raws]
    (of_steps, step), (of_above, each) = _width(steps), _width(above)
    many = len(raws)
    return _ABOUT.pack(many, lowest, of_steps, of_above) + struct.pack(f"<{many}{step}{many}{each}", *steps, *above)


def unpack(stored: bytes | Iterable[tuple[int, int]]) -> Positions:
    """Return what was packed; nothing is no positions. Pairs are what was stored once."""
    if not isinstance(stored, bytes):
        return dict(stored)
    if not stored:
        return {}
    many, lowest, of_steps, of_above = _ABOUT.unpack_from(stored)
    numbers = struct.unpack_from(f"<{many}{_CODES[of_steps]}{many}{_CODES[of_above]}", stored, _ABOUT.size)
    return dict(zip(accumulate(numbers[:many]), (lowest + above for above in numbers[many:]), strict=True))


def _width(column: Sequence[int]) -> tuple[int, str]:
    largest = max(column, default=0)
    return next((width, code) for width, code in _WIDTHS if largest < 1 << 8 * width)
