"""Counts of durations as few bytes: two columns of small integers, which zlib makes smaller still.

Durations are sorted, and stored as steps from each to the next, in whole seconds or milliseconds where all are whole
ones; else as they are. It takes six times as long as JSON, and makes an eighth with zlib: for what hardly changes.
"""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import copysign
from operator import sub

_SECONDS, _MILLISECONDS, _AS_THEY_ARE = 1, 1000, 0
_ABOUT = struct.Struct("<HIcc")  # the unit: so many in a second; how many durations; the widths of steps and of counts
_WIDTHS = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))  # by the largest number of a column


def pack(counts: Mapping[float, int]) -> bytes:
    """Return what `unpack` reads."""
    durations = sorted(counts)
    unit, steps, width = _AS_THEY_ARE, list[float](durations), "d"
    for whole in (_SECONDS, _MILLISECONDS):
        numbers = [round(duration * whole) for duration in durations]
        if [number / whole for number in numbers] == durations and not any(copysign(1, each) < 0 for each in steps[:1]):
            steps = [*numbers[:1], *map(sub, numbers[1:], numbers)]
            unit, width = whole, _width(steps)
            break
    column = list(map(counts.__getitem__, durations))
    of_counts = _width(column)
    about = _ABOUT.pack(unit, len(durations), width.encode(), of_counts.encode())
    return about + struct.pack(f"<{len(steps)}{width}", *steps) + struct.pack(f"<{len(column)}{of_counts}", *column)


def unpack(stored: bytes, begin: int = 0) -> tuple[dict[float, int], int]:
    """Return what was packed, and where it ends."""
    unit, many, width, of_counts = _ABOUT.unpack_from(stored, begin)
    columns = struct.Struct(f"<{many}{width.decode()}{many}{of_counts.decode()}")
    numbers = columns.unpack_from(stored, begin + _ABOUT.size)
    durations = numbers[:many] if unit == _AS_THEY_ARE else [each / unit for each in accumulate(numbers[:many])]
    return dict(zip(durations, numbers[many:], strict=True)), begin + _ABOUT.size + columns.size


def _width(column: Sequence[float]) -> str:
    return next(width for above, width in _WIDTHS if max(column, default=0) < above)
