"""How long events take from the raw topic to their hour's row, read off what is on the topics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.journeys import Spread, spread
from benchmarks.results import Window, WrongResults

HOPS = ("normalise", "percentiles")


class Passage(NamedTuple):
    """When one event passed, in milliseconds since the epoch; `row` is the first row that counts it."""

    raw: int
    typed: int
    row: int


def passages(
    raw: Mapping[str, int], typed: Iterable[tuple[str, Window, int]], rows: Iterable[tuple[Window, float, int]]
) -> list[Passage]:
    """Put them together, in the order in which they were written.

    Args:
        raw: event id -> when its frame was written.
        typed: (event id, window, when it was written) of each event, those of a window in the order of its partition.
        rows: (window, events counted, when it was written), those of a window in the order of its partition.

    Raises WrongResults when an event is counted by no row, or a row counts an event that is not there.
    """
    waiting: dict[Window, list[tuple[str, int]]] = {}
    for event_id, window, written in typed:
        waiting.setdefault(window, []).append((event_id, written))
    found: list[Passage] = []
    counted = dict.fromkeys(waiting, 0)
    for window, count, written in rows:
        events, before = waiting.get(window, []), counted.get(window, 0)
        if count > len(events):
            raise WrongResults(f"{window} counts {count:g} events of {len(events)}, so there is no figure.")
        found += [Passage(raw[event_id], at, written) for event_id, at in events[before : int(count)]]
        counted[window] = max(before, int(count))
    missing = sum(map(len, waiting.values())) - len(found)
    if missing or len(found) != len(raw):
        raise WrongResults(f"{len(raw)} frames, {missing} events in no row, {len(found)} in one: there is no figure.")
    return sorted(found)


def warm(passages: Sequence[Passage], *, after: float, seconds: float, rate: float) -> list[Passage]:
    """Return those that began within `seconds` from `after` seconds on. Raises WrongResults unless it was the load."""
    start = passages[0].raw + 1000 * after if passages else 0
    found = [each for each in passages if start <= each.raw < start + 1000 * seconds]
    if len(found) < 0.9 * rate * seconds:
        raise WrongResults(f"{len(found)} events in {seconds:g} s are not {rate:g} a second: there is no figure.")
    return found


def total(passages: Sequence[Passage]) -> Spread:
    """Return how long they took from the raw topic to the row."""
    return spread([each.row - each.raw for each in passages])


def hops(passages: Sequence[Passage]) -> dict[str, Spread]:
    """Return how long they took in each stage."""
    return dict(zip(HOPS, map(spread, np.diff(np.array(passages)).T), strict=True))
