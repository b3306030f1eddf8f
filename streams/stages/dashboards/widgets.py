"""Which widget of CXone's is which of ours: CXone's widgets have no id, ours have keys. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from streams.stages.dashboards.json_text import UnreadableError, canonical
from streams.stages.dashboards.merge import WIDGETS

Widget = Mapping[str, Any]
_Signature = Callable[[Widget], bytes]

T = TypeVar("T")

MOST_WIDGETS = 100  # of CXone's: it takes 15


def by_key(document: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return a document of CXone's with its widgets as an object, under `keys` in the order of the list."""
    if WIDGETS not in document:
        return dict(document)
    return {name: dict(zip(keys, value, strict=True)) if name == WIDGETS else value for name, value in document.items()}


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document as CXone has it, with its widgets as a list."""
    return {name: list(value.values()) if name == WIDGETS else value for name, value in document.items()}


def widgets_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the widgets of a document of CXone's. Raises UnreadableError when they are no list of objects."""
    widgets = document.get(WIDGETS, [])
    if not isinstance(widgets, list) or not all(isinstance(widget, dict) for widget in widgets):
        raise UnreadableError("its widgets are no list of objects")
    if len(widgets) > MOST_WIDGETS:
        raise UnreadableError(f"it has more than {MOST_WIDGETS} widgets")
    return widgets


def recognise(base: Mapping[str, Widget], ours: Mapping[str, Widget], theirs: Sequence[Widget]) -> list[str]:
    """Return the keys of CXone's widgets, in order.

    A widget is the one of the base, or else of ours, that has its title; where titles repeat, its title with its
    query and position, or one of them. One that was renamed in CXone is found by query and position, or by its query,
    where that leaves one candidate on both sides. The rest are new: their titles are their keys.
    """
    found: dict[int, str] = {}
    new = {key: widget for key, widget in ours.items() if key not in base}
    steps: tuple[tuple[Mapping[str, Widget], _Signature], ...] = (
        (base, _of("title", "query", "layout")),
        (base, _of("title")),
        (base, _of("title", "query")),
        (base, _of("title", "layout")),
        (ours, _of("title")),
        (ours, _of("title", "layout")),
        (base, _of("query", "layout")),
        (base, _of("query")),
        (new, _of("query", "layout")),
    )
    for known, signature in steps:
        taken = set(found.values())
        ones = _unique((key, signature(widget)) for key, widget in known.items() if key not in taken)
        others = _unique((number, signature(widget)) for number, widget in enumerate(theirs) if number not in found)
        found.update((others[mark], ones[mark]) for mark in ones.keys() & others.keys())
    taken = {*base, *ours}
    for number, widget in enumerate(theirs):
        if number not in found:
            found[number] = _free(str(widget.get("title", "untitled")), taken)
            taken.add(found[number])
    return [found[number] for number in range(len(theirs))]


def _of(*names: str) -> _Signature:
    return lambda widget: canonical([widget.get(name) for name in names])


def _unique(marked: Iterable[tuple[T, bytes]]) -> dict[bytes, T]:
    found: dict[bytes, T] = {}
    repeated: set[bytes] = set()
    for what, mark in marked:
        if mark in found:
            repeated.add(mark)
        found[mark] = what
    return {mark: what for mark, what in found.items() if mark not in repeated}


def _free(title: str, taken: set[str]) -> str:
    if title not in taken:
        return title
    number = 2
    while f"{title} #{number}" in taken:
        number += 1
    return f"{title} #{number}"
