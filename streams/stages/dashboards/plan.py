"""What applying files would do: documents, history and CXone's documents -> a plan that can be shown and kept. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streams.stages.dashboards.compiled import compile_document, managed
from streams.stages.dashboards.difference import Difference, differences, value_at
from streams.stages.dashboards.merge import MISSING, Conflict, alike
from streams.stages.dashboards.reconcile import reconcile, taken_over

VERSION = 1
SOMEONE = "someone in CXone"


class Action(StrEnum):
    """What would be done with one dashboard."""

    NOTHING = "nothing"
    UPDATE = "update"
    CREATE = "create"
    CONFLICT = "conflict"
    ABSENT = "absent"  # CXone has none of this id, and creating one was not asked for
    STRANGER = "stranger"  # CXone has one that was never applied from here


@dataclass(frozen=True, slots=True)
class History:
    """What was applied last: the file's document, and its payload then (widgets by key).

    An adopted dashboard has no document: its payload is what CXone had.
    """

    document: dict[str, Any] | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What CXone has. `by` is who changed it last, if CXone says so."""

    document: dict[str, Any]
    etag: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """The plan of one dashboard."""

    id: str
    file: str
    action: Action
    document: dict[str, Any]
    etag: str | None = None
    by: str | None = None
    changes: tuple[Difference, ...] = ()
    drift: tuple[Difference, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def plan(  # noqa: PLR0913 - all that a plan is made of
    document: Mapping[str, Any],
    file: str,
    *,
    history: History | None,
    found: Found | None,
    now: float,
    create: bool = False,
    warnings: Iterable[str] = (),
) -> Item:
    """Plan one file. Raises UnreadableError when CXone's document cannot be merged with."""
    known = {"id": document["id"], "file": file, "document": dict(document), "warnings": tuple(warnings)}
    if found is None:
        return Item(**known, action=Action.CREATE if create else Action.ABSENT)
    known |= {"etag": found.etag, "by": found.by}
    if history is None:
        return Item(**known, action=Action.STRANGER)
    ours = compile_document(document, now, before=history.document, sent=history.payload)
    outcome = reconcile(history.payload, ours, found.document)
    if outcome.conflicts:
        return Item(**known, action=Action.CONFLICT, conflicts=outcome.conflicts)
    action = Action.UPDATE if outcome.changes else Action.NOTHING
    return Item(**known, action=action, changes=outcome.changes, drift=outcome.drift)


def compared(
    document: Mapping[str, Any], history: History | None, found: Found, now: float
) -> list[tuple[Difference, str]]:
    """Return what leads from CXone's document to the file, and who changed it: the file, CXone, both, or "".

    Raises UnreadableError when CXone's document cannot be compared with.
    """
    before, sent = (history.document, history.payload) if history else (None, None)
    ours = compile_document(document, now, before=before, sent=sent)
    theirs = managed(taken_over(sent or {}, ours, found.document))
    return [(each, _whose(each, sent)) for each in differences(theirs, ours)]


def _whose(difference: Difference, base: Mapping[str, Any] | None) -> str:
    if base is None:
        return ""
    was = value_at(base, difference.path)
    if alike(was, difference.after):
        return "CXone"
    return "the file" if alike(was, difference.before) else "both"


def to_json(items: Sequence[Item], made_at: float) -> dict[str, Any]:
    """Return a plan for programs and for `apply PLAN`. A value that is not there is left out of its object."""
    return {
        "version": VERSION,
        "made_at": int(made_at),
        "dashboards": [
            {
                "id": item.id,
                "file": item.file,
                "action": item.action.value,
                "etag": item.etag,
                "changes": [_difference(each) for each in item.changes],
                "drift": [_difference(each) for each in item.drift],
                "conflicts": [conflict_json(each, "our file", item.by or SOMEONE) for each in item.conflicts],
                "warnings": list(item.warnings),
                "document": item.document,
            }
            for item in items
        ],
    }


def conflict_json(conflict: Conflict, ours_by: str, theirs_by: str) -> dict[str, Any]:
    """Return a conflict for programs: where, the three values, who."""
    sides = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}
    return {
        "path": list(conflict.path),
        **{name: value for name, value in sides.items() if value is not MISSING},
        "ours_by": ours_by,
        "theirs_by": theirs_by,
        **({"words": conflict.words} if conflict.words else {}),
    }


def _difference(change: Difference) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    return {"path": list(change.path), **{name: value for name, value in sides.items() if value is not MISSING}}
