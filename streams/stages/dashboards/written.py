"""A document of CXone's -> the text of a file that says the same: the way back of `files` and `compiled`. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from streams.stages.dashboards.compiled import FIELDS, WIDGET_FIELDS
from streams.stages.dashboards.merge import WIDGETS
from streams.stages.dashboards.widgets import widgets_of

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ._/-]*(?<! )", re.ASCII)


def document_of(payload: Mapping[str, Any], dashboard: str) -> dict[str, Any]:
    """Return the document of a file. What a file cannot say is left out: it stays in CXone, whatever is applied.

    Raises UnreadableError when CXone's widgets are no list of objects.
    """
    document = {"id": dashboard, **{name: payload[name] for name in FIELDS if name in payload and name != WIDGETS}}
    titles: dict[str, int] = {}
    found = []
    for widget in widgets_of(payload):
        title = str(widget.get("title", "untitled"))
        titles[title] = titles.get(title, 0) + 1
        key = {"key": f"{title} #{titles[title]}"} if titles[title] > 1 else {}
        found.append({**key, **_widget(widget)})
    document[WIDGETS] = found
    return document


def text(document: Mapping[str, Any]) -> str:
    """Return YAML that `yaml_source` reads as `document`."""
    return yaml.dump(_plain(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _widget(widget: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: widget[name] for name in WIDGET_FIELDS if name in widget}
    if "layout" in said:
        said["position"] = said.pop("layout")
    if isinstance(said.get("query"), Mapping):
        said["query"] = {name: value for name, value in said["query"].items() if value not in ([], None)}
    return said


def _plain(value: Any) -> Any:
    """Return the value as YAML's own types, so that nothing needs an anchor or a tag."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(value)
    return value


class _Dumper(yaml.SafeDumper):
    """Quotes every text that could be taken for something else, and uses no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML asks
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
