"""Base, our file, CXone's document -> what CXone should have, what that changes, what stands against it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from streams.stages.dashboards.compiled import Payload, managed
from streams.stages.dashboards.difference import Difference, differences
from streams.stages.dashboards.merge import MISSING, WIDGETS, Conflict, merge
from streams.stages.dashboards.rules import columns, overlap, too_many
from streams.stages.dashboards.widgets import by_key, listed, recognise, widgets_of


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a merge with CXone's document came to.

    Attributes:
        document: to send, as CXone has documents.
        changes: what that changes in CXone. None: there is nothing to send.
        drift: what stays different from the file, because others changed it and the file does not.
        conflicts: with any, nothing may be sent.
    """

    document: Payload
    changes: tuple[Difference, ...]
    drift: tuple[Difference, ...]
    conflicts: tuple[Conflict, ...]


def reconcile(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Reconciled:
    """Merge our payload into CXone's document.

    Args:
        base: the payload that our file had when it was applied last, widgets by key.
        ours: the payload of the file now, widgets by key.
        theirs: CXone's document as it is.

    Raises:
        UnreadableError: CXone's widgets are no list of objects.
    """
    keyed = taken_over(base, ours, theirs)
    merged = merge(base, ours, keyed)
    conflicts = (*merged.conflicts, *_collisions(merged.document, ours, keyed))
    return Reconciled(
        listed(merged.document),
        tuple(differences(managed(keyed), managed(merged.document))) if not conflicts else (),
        tuple(differences(ours, managed(merged.document))) if not conflicts else (),
        conflicts,
    )


def taken_over(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Payload:
    """Return CXone's document with its widgets by our keys. Its managed part is the base of one that is adopted."""
    keys = recognise(base.get(WIDGETS, {}), ours.get(WIDGETS, {}), widgets_of(theirs))
    return by_key(theirs, keys)


def _collisions(merged: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield where both sides are right and together are not: cells, columns, the number of widgets."""
    widgets, before = merged.get(WIDGETS, {}), theirs.get(WIDGETS, {})
    mine = ours.get(WIDGETS, {})
    words = too_many(len(widgets))
    if words is not None and len(widgets) > len(before):
        yield Conflict((WIDGETS,), MISSING, len(mine), len(before), f"together they {words}")
    cells = {key: at for key, widget in widgets.items() if (at := _cells(widget)) is not None}
    already = {key: _cells(widget) for key, widget in before.items()}
    for one, other in combinations(sorted(cells), 2):
        if overlap(cells[one], cells[other]) and not _overlapped(already.get(one), already.get(other)):
            first, second = (one, other) if one in mine else (other, one)
            where = (WIDGETS, first, "layout")
            words = f"`{first}` and `{second}` would lie on the same cells"
            yield Conflict(where, MISSING, cells[first], cells[second], words)
    wide = columns(merged)
    for name, at_cells in cells.items():
        right = at_cells["x"] + at_cells["w"]
        if right > wide and wide != columns(theirs):
            words = f"reaches column {right}: the grid would have {wide}"
            yield Conflict((WIDGETS, name, "layout"), MISSING, wide, at_cells, words)


def _cells(widget: Any) -> Mapping[str, int] | None:
    layout = widget.get("layout") if isinstance(widget, Mapping) else None
    if isinstance(layout, Mapping) and all(
        isinstance(layout.get(name), int) and not isinstance(layout.get(name), bool) for name in "xywh"
    ):
        return layout
    return None


def _overlapped(one: Mapping[str, int] | None, other: Mapping[str, int] | None) -> bool:
    return one is not None and other is not None and overlap(one, other)
