"""Numbers over time in one line of text."""

from collections.abc import Sequence
from math import ceil

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return at most `width` (1 or more) bars from the lowest value to the highest; a dot where there is none.

    Of more values than that, as many as needed share a bar: their mean.
    """
    share = max(ceil(len(values) / width), 1)
    means = [_mean(values[i : i + share]) for i in range(0, len(values), share)]
    known = [mean for mean in means if mean is not None]
    if not known:
        return GAP * len(means)
    low, span = min(known), max(known) - min(known)
    top = len(BARS) - 1
    return "".join(GAP if mean is None else BARS[round((mean - low) / span * top) if span else 0] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
