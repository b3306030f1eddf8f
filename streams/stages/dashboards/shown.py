"""A plan as a person reads it: lines with colours. What CXone says cannot write to the terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.stages.dashboards.difference import Difference
from streams.stages.dashboards.json_text import dumps
from streams.stages.dashboards.merge import MISSING, Conflict
from streams.stages.dashboards.plan import SOMEONE, Action, Item

Line = tuple[str, str]  # colour and text

_HEADLINES: dict[Action, Line] = {
    Action.NOTHING: ("green", "= {item.id}: nothing to do"),
    Action.UPDATE: ("yellow", "~ {item.id}: {changes} to change"),
    Action.CREATE: ("green", "+ {item.id}: will be created with {widgets} widgets"),
    Action.CONFLICT: ("red", "! {item.id}: {conflicts} in conflict; nothing will be sent"),
    Action.ABSENT: ("red", "! {item.id}: CXone has no such dashboard. Make one with: apply --create {item.file}"),
    Action.STRANGER: ("red", "! {item.id}: was never applied from here. Take it over with: adopt {item.file}"),
}


def lines(item: Item) -> Iterator[Line]:
    """Yield (colour, line) of what a person should see of one plan."""
    colour, words = _HEADLINES[item.action]
    yield (
        colour,
        words.format(
            item=item, changes=len(item.changes), conflicts=len(item.conflicts), widgets=len(item.document["widgets"])
        ),
    )
    for change in item.changes:
        yield from _changed(change)
    for conflict in item.conflicts:
        yield from conflict_lines(conflict, "our file", item.by or SOMEONE)
    if item.drift:
        yield "dim", f"    changed in CXone by {item.by or SOMEONE} and not by the file, so it stays:"
    for change in item.drift:
        for _, line in _changed(change):
            yield "dim", line
    for warning in item.warnings:
        yield "magenta", f"    warning: {warning}"


def difference_lines(found: Sequence[tuple[Difference, str]]) -> Iterator[Line]:
    """Yield differences between CXone and a file, with who changed what."""
    for difference, who in found:
        for colour, line in _changed(difference):
            yield colour, f"{line}  (changed by {who})" if who else line


def conflict_lines(conflict: Conflict, ours_by: str, theirs_by: str) -> Iterator[Line]:
    """Yield what a person should see of a conflict: widget, field, the three values and who."""
    yield "red", f"    {place(conflict.path)}{': ' + conflict.words if conflict.words else ''}"
    sides = (("was", conflict.base), (_printable(ours_by), conflict.ours), (_printable(theirs_by), conflict.theirs))
    for name, value in sides:
        if not (conflict.words and value is MISSING):
            yield "red", f"        {name}: {_value(value)}"


def outcome_lines(dashboard: str, status: str, words: str, conflicts: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield what a person should see of what became of a command; conflicts as `plan.conflict_json` has them."""
    colour = "green" if status == "applied" else "red"
    yield colour, f"{'=' if status == 'applied' else '!'} {dashboard}: {status}: {_printable(words)}"
    for each in conflicts:
        base, ours, theirs = (each.get(side, MISSING) for side in ("base", "ours", "theirs"))
        conflict = Conflict(tuple(map(str, each["path"])), base, ours, theirs, str(each.get("words", "")))
        yield from conflict_lines(conflict, str(each["ours_by"]), str(each["theirs_by"]))


def place(path: Sequence[str]) -> str:
    """Write where a value is: widget "Waiting now" query.dateRange."""
    if len(path) > 1 and path[0] == "widgets":
        return " ".join(filter(None, (f'widget "{_printable(path[1])}"', _printable(".".join(path[2:])))))
    return _printable(".".join(path))


def _changed(change: Difference) -> Iterator[Line]:
    where = place(change.path)
    if change.before is MISSING:
        yield "green", f"    + {where}: {_value(change.after)}"
    elif change.after is MISSING:
        yield "red", f"    - {where}: {_value(change.before)}"
    else:
        yield "yellow", f"    ~ {where}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: Any) -> str:
    if value is MISSING:
        return "(none)"
    text = _printable(dumps(value).decode())
    return text if len(text) <= 200 else f"{text[:200]} ..."  # noqa: PLR2004 - a screen is so wide


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
