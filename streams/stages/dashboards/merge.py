"""Three-way merge of documents: base, ours, theirs -> merged, conflicts. Pure; the algorithm is diff3's, on trees.

What one side left as it is in the base is taken from the other; what both changed alike is taken once; what both
changed differently is a conflict, and stays as it is in the base. Objects merge by name, whatever the order.
`LISTS_BY_NAME` merge by what names their items; other lists and `WHOLE` objects are one value, because half of each
side would be what nobody wanted. Cost: the size of the documents times their depth.

Swapping the sides swaps the labels of conflicts and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from streams.stages.dashboards import times
from streams.stages.dashboards.json_text import dumps

Path = tuple[str, ...]


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()  # a field that is not there

WIDGETS = "widgets"
WHOLE = frozenset({"layout", "query.dateRange"})  # of a widget
LISTS_BY_NAME: Mapping[str, Callable[[Any], str]] = {  # of a widget
    "query.metrics": lambda metric: str(metric["name"]),
    "query.filters": lambda condition: f"{condition['attribute']} {condition['condition']}",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """What both sides changed differently. `path` leads there through names: ("widgets", key, "title").

    `words` says why values that differ in place cannot stand together.
    """

    path: Path
    base: Any
    ours: Any
    theirs: Any
    words: str = ""

    def swapped(self) -> "Conflict":
        return Conflict(self.path, self.base, self.theirs, self.ours, self.words)


@dataclass(frozen=True, slots=True)
class Merged:
    """`document` is worth sending only without conflicts."""

    document: dict[str, Any]
    conflicts: tuple[Conflict, ...]


def merge(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Merged:
    """Merge documents whose "widgets" are an object: key -> widget (`widgets.by_key`)."""
    conflicts: list[Conflict] = []
    document = _merge((), base, ours, theirs, conflicts)
    return Merged(document if isinstance(document, dict) else dict(base), tuple(conflicts))


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: 15 and 15.0, objects in another order, one instant written differently."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other or (_instant(one) is not None and _instant(one) == _instant(other))
    return bool(one == other)


def alike(one: Any, other: Any) -> bool:
    """As `same`, of values that may be MISSING."""
    return one is other if one is MISSING or other is MISSING else same(one, other)


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same byte for byte."""
    if one is MISSING or other is MISSING:
        return one is other
    return dumps(one) == dumps(other)


def _instant(text: str) -> datetime | None:
    if not (len(text) > 10 and text[:4].isdigit() and text[10] in "Tt"):  # noqa: PLR2004 - 2026-01-31T
        return None
    instant = times.read(text)
    return instant if instant is not None and instant.tzinfo else None


def _merge(path: Path, base: Any, ours: Any, theirs: Any, conflicts: list[Conflict]) -> Any:
    settled = _one_sided(base, ours, theirs)
    if settled is not None:
        return settled[0]
    inside = ".".join(path[2:]) if path[:1] == (WIDGETS,) else ""
    if isinstance(ours, dict) and isinstance(theirs, dict) and inside not in WHOLE:
        known = {} if base is MISSING else base
        if isinstance(known, dict):
            return _merge_object(path, known, ours, theirs, conflicts)
    elif inside in LISTS_BY_NAME:
        sides = [named(side, LISTS_BY_NAME[inside]) for side in (base, ours, theirs)]
        if None not in sides:
            known, mine, other = ({} if side is None else side for side in sides)
            return list(_merge_object(path, known, mine, other, conflicts, whole=True).values())
    conflicts.append(Conflict(path, base, ours, theirs))
    return base


def _one_sided(base: Any, ours: Any, theirs: Any) -> tuple[Any] | None:
    """Return (the value,) unless both sides changed it differently. Bytes first: what is untouched stays as it is."""
    for equal in (identical, same):
        if equal(ours, theirs):
            return (min(ours, theirs, key=dumps),) if ours is not MISSING else (ours,)  # the same with sides swapped
        if equal(ours, base):
            return (theirs,)
        if equal(theirs, base):
            return (ours,)
    return None


def _merge_object(  # noqa: PLR0913 - three sides, and where they are
    path: Path,
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    conflicts: list[Conflict],
    *,
    whole: bool = False,
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in _ordered(list(base), list(ours), list(theirs)):
        sides = base.get(name, MISSING), ours.get(name, MISSING), theirs.get(name, MISSING)
        at = (*path, name)
        if whole:
            settled = _one_sided(*sides)
            if settled is None:
                conflicts.append(Conflict(at, *sides))
            value = sides[0] if settled is None else settled[0]
        else:
            value = _merge(at, *sides, conflicts)
        if value is not MISSING:
            merged[name] = value
    return merged


def _ordered(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Return all names that a side has, in the order of the side that changed it; what is added keeps its neighbour."""
    if theirs in (base, ours):
        first, second = ours, theirs
    elif ours == base:
        first, second = theirs, ours
    else:
        kept = [_within(side, base) == _within(base, side) for side in (ours, theirs)]
        first, second = (ours, theirs) if kept < kept[::-1] else (theirs, ours)
        if kept[0] == kept[1]:
            first, second = sorted((ours, theirs))
    order, known = list(first), set(first)
    for number, name in enumerate(second):
        if name not in known:
            order.insert(order.index(second[number - 1]) + 1 if number else 0, name)
    return order


def _within(names: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name in known]


def named(value: Any, name_of: Callable[[Any], str]) -> dict[str, Any] | None:
    """Return the items by what names them; None where they have no names, or two have the same."""
    if value is MISSING:
        return {}
    if not isinstance(value, list):
        return None
    try:
        named = {name_of(item): item for item in value}
    except (KeyError, TypeError):
        return None
    return named if len(named) == len(value) else None
