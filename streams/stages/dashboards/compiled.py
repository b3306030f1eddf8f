"""A document as its file has it -> what CXone gets: predicate pushdown. Pure.

`skills` and `range` become filters, so that CXone reduces the rows and not the browser. A relative range is compiled at
a time; as long as its expression is the one that was applied last, the times that were applied then are kept, so that
a plan is empty tomorrow, too.
"""

from collections.abc import Mapping
from typing import Any

from streams.stages.dashboards import times
from streams.stages.dashboards.merge import WIDGETS

Payload = dict[str, Any]

# What files can say of CXone's documents: whatever else is in one is left alone
FIELDS = ("name", "description", "refreshInterval", "layout", WIDGETS)
WIDGET_FIELDS = ("type", "title", "query", "layout", "refreshInterval", "visualization")


def compile_document(
    document: Mapping[str, Any],
    now: float,
    *,
    before: Mapping[str, Any] | None = None,
    sent: Mapping[str, Any] | None = None,
) -> Payload:
    """Return the payload with its widgets by key.

    Args:
        document: of `files.check`.
        now: seconds since the epoch, for relative times.
        before: the document that was applied last.
        sent: its payload as it was compiled then, widgets by key.
    """
    known = {key_of(widget): widget for widget in (before or {}).get(WIDGETS, ())}
    times_of = (sent or {}).get(WIDGETS, {})
    payload = {name: document[name] for name in FIELDS if name in document and name != WIDGETS}
    payload[WIDGETS] = {
        key_of(widget): _widget(widget, now, known.get(key_of(widget)), times_of.get(key_of(widget)))
        for widget in document[WIDGETS]
    }
    return payload


def key_of(widget: Mapping[str, Any]) -> str:
    """Return what tells a widget of a document from the others."""
    return str(widget.get("key", widget["title"]))


def managed(payload: Mapping[str, Any]) -> Payload:
    """Return the part of a payload (widgets by key) that a file can say."""
    found = {name: value for name, value in payload.items() if name in FIELDS}
    if isinstance(found.get(WIDGETS), Mapping):
        found[WIDGETS] = {
            key: {name: value for name, value in widget.items() if name in WIDGET_FIELDS}
            for key, widget in found[WIDGETS].items()
        }
    return found


def is_behind(document: Mapping[str, Any], applied_at: float, now: float) -> bool:
    """Whether a relative range of what was applied at `applied_at` is older than the unit it is written in."""
    expressions = [text for widget in document[WIDGETS] for text in _relative(widget["query"])]
    return any(now - applied_at >= times.step(text) for text in expressions)


def _relative(query: Mapping[str, Any]) -> list[str]:
    both = query.get("dateRange", {})
    return [text for text in (query.get("range"), both.get("start")) if text is not None and times.is_relative(text)]


def _widget(widget: Mapping[str, Any], now: float, before: Any, sent: Any) -> Payload:
    payload = {name: widget[name] for name in ("type", "title")}
    payload["query"] = _query(widget["query"], now, before, sent)
    payload["layout"] = widget["position"]
    payload["refreshInterval"] = widget["refreshInterval"]
    if "visualization" in widget:
        payload["visualization"] = widget["visualization"]
    return payload


def _query(query: Mapping[str, Any], now: float, before: Any, sent: Any) -> Payload:
    payload: Payload = {}
    filters: list[Payload] = []
    asked = _asked(query)
    if asked is not None:
        kept = sent["query"].get("dateRange") if sent and before and _asked(before["query"]) == asked else None
        payload["dateRange"] = kept or {
            name: times.iso(times.moment(text, now)) for name, text in zip(("start", "end"), asked, strict=True)
        }
    if "skills" in query:
        filters.append({"condition": "in", "attribute": "skill", "value": query["skills"]})
    if "range" in query:
        span = payload["dateRange"]
        filters.append({"condition": "between", "attribute": "timestamp", "value": [span["start"], span["end"]]})
    payload["groupBy"] = query["groupBy"]
    payload["metrics"] = query["metrics"]
    payload["filters"] = filters + query["filters"]
    return payload


def _asked(query: Mapping[str, Any]) -> tuple[str, str] | None:
    if "range" in query:
        return query["range"], "now"
    if "dateRange" in query:
        return query["dateRange"]["start"], query["dateRange"]["end"]
    return None
