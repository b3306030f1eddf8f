"""What is varied, one thing at a time, around one size of everything."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

AXES = "events", "campaigns", "partitions", "hours"


@dataclass(frozen=True, slots=True)
class Point:
    """One size: so many `events` over so many `campaigns` and `hours`, in so many `partitions` of each topic.

    `hours` are both how many hours of event time the events span and for how long hours are kept.
    """

    events: int = 1_000_000
    campaigns: int = 2_000
    partitions: int = 12
    hours: int = 4

    def __str__(self) -> str:
        return f"{self.events:,} events, {self.campaigns:,} campaigns, {self.partitions:,} partitions, {self.hours} h"


BASE = Point()
VALUES: Mapping[str, tuple[int, ...]] = {
    "events": (100_000, 1_000_000, 10_000_000),
    "campaigns": (200, 2_000, 20_000),
    "partitions": (1, 12, 100, 1_000),
    "hours": (4, 48),
}


def points(events: int = BASE.events) -> list[Point]:
    """Return every point once, the base first, those of the most partitions last; `events` of them is the usual number.

    The axis of events goes from a tenth of that to ten times as many.
    """
    base = replace(BASE, events=events)
    found = [base]
    for axis in AXES:
        for value in VALUES[axis]:
            scaled = value * events // BASE.events if axis == "events" else value
            found.append(replace(base, **{axis: scaled}))
    return sorted(dict.fromkeys(found), key=lambda point: point.partitions > base.partitions)
