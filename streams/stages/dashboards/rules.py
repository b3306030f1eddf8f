"""What the fields of a dashboard's file mean together: documents -> everything that is wrong with them. Pure.

Rules look at plain values and pass over what has the wrong shape, so that one error hides no other.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

from streams.stages.dashboards import times
from streams.stages.dashboards.model import COLUMNS, MOST_WIDGETS
from streams.stages.dashboards.yaml_source import Path

Broken = tuple[Path, str]  # where, and what is wrong


def broken(document: Any, now: float) -> Iterator[Broken]:
    """Yield what is wrong. `now` in seconds since the epoch."""
    for number, widget in _widgets(document):
        path: Path = ("widgets", number)
        query = widget.get("query")
        if isinstance(query, Mapping):
            for where, words in (*_ranges(query, now), *_filters(query), *_names(query)):
                yield (*path, "query", *where), words
    yield from _keys(document)
    yield from places(
        {number: widget.get("position") for number, widget in _widgets(document)},
        columns(document),
        lambda number: ("widgets", number, "position"),
    )


def columns(document: Any) -> int:
    """Return how many columns the grid has."""
    layout = document.get("layout") if isinstance(document, Mapping) else None
    count = layout.get("columns") if isinstance(layout, Mapping) else None
    return count if isinstance(count, int) and 1 <= count <= COLUMNS else COLUMNS


def places(positions: Mapping[Any, Any], wide: int, path: Callable[[Any], Path]) -> Iterator[Broken]:
    """Yield which positions leave the grid or lie on each other; those that are no positions are passed over."""
    known = {name: position for name, position in positions.items() if _is_position(position)}
    for name, at in known.items():
        if at["x"] + at["w"] > wide:
            yield path(name), f"reaches column {at['x'] + at['w']}: the grid has {wide}"
    for one, other in combinations(known, 2):
        if overlap(known[one], known[other]):
            yield path(other), f"lies on the cells of {_named(one)}"


def overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether two positions share a cell."""
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def too_many(count: int) -> str | None:
    """Return what is wrong with so many widgets."""
    return f"are {count}: CXone takes {MOST_WIDGETS}" if count > MOST_WIDGETS else None


def warnings(document: Mapping[str, Any]) -> Iterator[Broken]:
    """Yield what is allowed and costly: a widget that pulls rows which CXone could have reduced."""
    for number, widget in _widgets(document):
        query = widget["query"]
        path: Path = ("widgets", number, "query")
        if widget["type"] == "table" and not query.get("groupBy"):
            yield path, "has no groupBy: a table pulls raw rows"
        timed = any(condition["attribute"] == "timestamp" for condition in query["filters"])
        if not (query.get("range") or query.get("dateRange") or timed):
            yield path, "has no range: it pulls raw rows of all times"


def _is_position(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(name), int) and not isinstance(value.get(name), bool) for name in "xywh"
    )


def _named(name: Any) -> str:
    return f"widgets[{name}]" if isinstance(name, int) else f"`{name}`"


def _widgets(document: Any) -> list[tuple[int, Mapping[str, Any]]]:
    widgets = document.get("widgets") if isinstance(document, Mapping) else None
    return [
        (number, widget)
        for number, widget in enumerate(widgets if isinstance(widgets, list) else ())
        if isinstance(widget, Mapping)
    ]


def _keys(document: Any) -> Iterator[Broken]:
    first: dict[str, tuple[str, int]] = {}
    for number, widget in _widgets(document):
        name = "key" if "key" in widget else "title"
        key = widget.get(name)
        if not isinstance(key, str):
            continue
        if key in first:
            hint = "" if name == "key" else ": give one of them a `key`"
            what, where = first[key]
            yield ("widgets", number, name), f"`{key}` is the {what} of widgets[{where}], too{hint}"
        first.setdefault(key, (name, number))


def _ranges(query: Mapping[str, Any], now: float) -> Iterator[Broken]:
    relative, absolute = query.get("range"), query.get("dateRange")
    if relative is not None and absolute is not None:
        yield ("range",), "is short for a dateRange: there is one already"
    if isinstance(relative, str) and times.is_relative(relative):
        yield from _range(("range",), relative, "now", now)
    if isinstance(absolute, Mapping) and isinstance(absolute.get("start"), str):
        end = absolute.get("end", "now")
        if isinstance(end, str):
            yield from _range(("dateRange",), absolute["start"], end, now)


def _range(path: Path, start: str, end: str, now: float) -> Iterator[Broken]:
    moments: list[float] = []
    for name, text in (("start", start), ("end", end)):
        try:
            moments.append(times.moment(text, now))
        except ValueError as wrong:
            yield (*path, name), str(wrong)
            moments.append(math.nan)
    first, last = moments
    if last > now + times.FURTHEST_AHEAD:
        yield path, f"ends {(last - now) / 3600:.1f} hours ahead: CXone takes 1"
    if first >= last:
        yield path, f"ends before it starts: {start} is not before {end}"
    elif last - first > times.LONGEST_RANGE:
        days = (last - first) / 86_400
        yield path, f"is {days:.1f} days long: CXone takes {times.LONGEST_RANGE // 86_400}"


def _filters(query: Mapping[str, Any]) -> Iterator[Broken]:
    filters = query.get("filters")
    seen = {("skill", "in")} if query.get("skills") else set()
    if query.get("range"):
        seen.add(("timestamp", "between"))
    for number, each in enumerate(filters if isinstance(filters, list) else ()):
        if not isinstance(each, Mapping):
            continue
        path: Path = ("filters", number)
        what = each.get("attribute"), each.get("condition")
        if isinstance(what[0], str) and isinstance(what[1], str):
            if what in seen:
                yield path, f"is the second {what[1]} on {what[0]} (skills and range are filters, too)"
            seen.add((what[0], what[1]))
        if each.get("condition") == "between" and isinstance(each.get("value"), list):
            yield from _between((*path, "value"), each["value"])


def _between(path: Path, value: list[Any]) -> Iterator[Broken]:
    if len(value) != 2:  # noqa: PLR2004 - that is what between means
        yield path, f"must be two values for between, not {len(value)}"
        return
    low, high = value
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in value)
    if not (numbers or all(isinstance(each, str) for each in value)):
        yield path, "must be two numbers or two texts"
    elif not _in_order(low, high):
        yield path, f"must be in order: {low!r} is not before {high!r}"


def _in_order(low: Any, high: Any) -> bool:
    """Whether one is less than the other: times with a zone by the moments that they stand for."""
    try:
        return times.moment(low, 0) < times.moment(high, 0)
    except (TypeError, ValueError):
        return bool(low < high)


def _names(query: Mapping[str, Any]) -> Iterator[Broken]:
    for field in ("groupBy", "skills"):
        listed = query.get(field)
        for number, item in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(listed, list) and item in listed[:number]:
                yield (field, number), f"`{item}` is there already"
    metrics = query.get("metrics")
    names: list[Any] = []
    for number, metric in enumerate(metrics if isinstance(metrics, list) else ()):
        name = metric.get("name") if isinstance(metric, Mapping) else metric
        if isinstance(name, str) and name in names:
            yield ("metrics", number), f"`{name}` is the name of another metric of this widget"
        names.append(name)
