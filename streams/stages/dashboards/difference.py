"""What differs between two payloads, widgets by key. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.stages.dashboards.merge import LISTS_BY_NAME, MISSING, WHOLE, WIDGETS, Path, named, same


@dataclass(frozen=True, slots=True)
class Difference:
    """One value, before and after; MISSING where there is none. A widget that is added or removed is one value."""

    path: Path
    before: Any
    after: Any


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """Yield what leads from one payload to another. Order and how a value is written are no difference."""
    if before is MISSING or after is MISSING:
        if before is not after:
            yield Difference(path, before, after)
        return
    if same(before, after):
        return
    inside = ".".join(path[2:]) if path[:1] == (WIDGETS,) else ""
    if inside in LISTS_BY_NAME:
        listed = named(before, LISTS_BY_NAME[inside]), named(after, LISTS_BY_NAME[inside])
        if listed[0] is not None and listed[1] is not None and listed[0].keys() | listed[1].keys():
            found = [*_of_objects(listed[0], listed[1], path, whole=True)]
            yield from found or [Difference(path, before, after)]  # none: only their order differs
            return
    if isinstance(before, Mapping) and isinstance(after, Mapping) and inside not in WHOLE:
        yield from _of_objects(before, after, path, whole=False)
        return
    yield Difference(path, before, after)


def _of_objects(
    before: Mapping[str, Any], after: Mapping[str, Any], path: Path, *, whole: bool
) -> Iterator[Difference]:
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name, MISSING), after.get(name, MISSING)
        if not whole:
            yield from differences(one, other, (*path, name))
        elif one is MISSING or other is MISSING or not same(one, other):
            yield Difference((*path, name), one, other)


def value_at(payload: Any, path: Path) -> Any:
    """Return the value at the path of a difference; MISSING where there is none."""
    value = payload
    for number, name in enumerate(path):
        inside = ".".join(path[2:number]) if path[:1] == (WIDGETS,) else ""
        if isinstance(value, list) and inside in LISTS_BY_NAME:
            value = named(value, LISTS_BY_NAME[inside])
        value = value.get(name, MISSING) if isinstance(value, Mapping) else MISSING
    return value
