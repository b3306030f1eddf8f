"""The dashboards that a stand-in CXone keeps: documents with versions and ETags. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import orjson

COLUMNS = 4
MOST_WIDGETS = 15
MOST_GROUPS = 5
OWN = ("id", "version", "modifiedBy", "dateModified")  # what CXone sets, whatever a client sends
KEPT = 10_000  # dashboards

Document = dict[str, Any]
Path = Sequence[str | int]


class UnfitError(ValueError):
    """A document that CXone does not take: its words."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a dashboard."""

    document: Document
    version: int

    @property
    def etag(self) -> str:
        return f'"{self.document["id"]}-{self.version}"'


class Documents:
    """The newest version of each dashboard."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._stored: dict[str, Stored] = {}
        self._kept = kept

    def get(self, name: str) -> Stored | None:
        return self._stored.get(name)

    def write(self, name: str, document: Document, *, by: str, now: float) -> Stored:
        """Store a document as the next version of the dashboard `name`. Raises UnfitError.

        A new one gets a field that clients do not know (`tenant`): they have to send it back as it was.
        """
        check(document)
        before = self._stored.get(name)
        if before is None and len(self._stored) >= self._kept:
            raise UnfitError("There are too many dashboards.")
        version = before.version + 1 if before else 1
        modified = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        own = {"id": name, "version": version, "modifiedBy": {"name": by}, "dateModified": modified}
        extra = {} if before else {"tenant": {"id": "t-1", "theme": "dark", "weights": [0.25, 1.5], "note": ""}}
        stored = self._stored[name] = Stored(extra | document | own, version)
        return stored

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield {id, etag, document} of each dashboard."""
        for name, stored in list(self._stored.items()):
            yield {"id": name, "etag": stored.etag, "document": stored.document}

    def names(self) -> list[str]:
        return list(self._stored)


def changed(document: Document, path: Path, value: Any) -> Document:
    """Return a copy of `document` with `value` at `path`: names of fields, and of widgets their titles or numbers.

    Raises UnfitError where the path leads nowhere.
    """
    copy: Document = orjson.loads(orjson.dumps(document))
    place: Any = copy
    for step in path[:-1]:
        place = _step(place, step)
    last = path[-1] if path else ""
    if not isinstance(place, dict) or not isinstance(last, str) or not last:
        raise UnfitError(f"There is no field at {'/'.join(map(str, path))}.")
    place[last] = value
    return copy


def check(document: Any) -> None:
    """Raise UnfitError, with CXone's words, when `document` is no dashboard."""
    if not isinstance(document, dict) or not isinstance(document.get("name"), str) or not document["name"]:
        raise UnfitError("A dashboard is an object with a name.")
    widgets = document.get("widgets")
    if not isinstance(widgets, list) or not all(isinstance(widget, dict) for widget in widgets):
        raise UnfitError("widgets is a list of objects.")
    if len(widgets) > MOST_WIDGETS:
        raise UnfitError(f"A dashboard has at most {MOST_WIDGETS} widgets, not {len(widgets)}.")
    for number, widget in enumerate(widgets):
        _check_widget(widget, f"widgets[{number}]")
    for (one, first), (other, second) in combinations(enumerate(widgets), 2):
        if _overlap(first["layout"], second["layout"]):
            raise UnfitError(f"widgets[{other}].layout overlaps that of widgets[{one}].")


def _check_widget(widget: Document, where: str) -> None:
    if widget.get("type") not in {"metric", "table"} or not isinstance(widget.get("title"), str):
        raise UnfitError(f"{where} has a type (metric or table) and a title.")
    layout = widget.get("layout")
    if not isinstance(layout, dict) or not all(isinstance(layout.get(name), int) for name in "xywh"):
        raise UnfitError(f"{where}.layout has whole numbers x, y, w and h.")
    x, y, w, h = (layout[name] for name in "xywh")
    if min(x, y) < 0 or min(w, h) < 1 or x + w > COLUMNS:
        raise UnfitError(f"{where}.layout lies outside of the grid of {COLUMNS} columns.")
    query = widget.get("query")
    if not isinstance(query, dict) or not query.get("metrics"):
        raise UnfitError(f"{where}.query has at least one metric.")
    if len(query.get("groupBy") or ()) > MOST_GROUPS:
        raise UnfitError(f"{where}.query.groupBy has at most {MOST_GROUPS} names.")


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


def _step(place: Any, step: str | int) -> Any:
    if isinstance(place, list):
        for number, item in enumerate(place):
            if step == number or (isinstance(item, dict) and item.get("title") == step):
                return item
    elif isinstance(place, dict) and isinstance(step, str):
        return place.setdefault(step, {})
    raise UnfitError(f"There is nothing at {step}.")
