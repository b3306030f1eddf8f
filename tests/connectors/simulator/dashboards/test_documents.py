from typing import Any

import pytest

from connectors.simulator.dashboards.documents import Documents, UnfitError, changed
from connectors.simulator.dashboards.editor import FIELDS, Editor
from tests.connectors.simulator.dashboards.samples import dashboard


def test_each_write_is_a_version_with_an_etag_of_its_own() -> None:
    documents = Documents()

    first = documents.write("d", dashboard(), by="us", now=0.5)
    second = documents.write("d", {**first.document, "id": "x", "version": 99}, by="Jon", now=1)

    assert (first.etag, second.etag) == ('"d-1"', '"d-2"')
    assert second.document["id"] == "d"
    assert second.document["dateModified"] == "1970-01-01T00:00:01.000Z"
    assert second.document["tenant"] == first.document["tenant"]


def _broken(**changes: Any) -> dict[str, Any]:
    document = dashboard()
    document["widgets"][1] |= changes
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "with a name"),
        ({"name": ""}, "with a name"),
        ({"name": "A"}, "list of objects"),
        (_broken(type="pie"), r"widgets\[1\] has a type"),
        (_broken(layout={"x": 0, "y": 0}), "whole numbers"),
        (_broken(layout={"x": 3, "y": 0, "w": 2, "h": 1}), "outside of the grid"),
        (_broken(layout={"x": 0, "y": 0, "w": 1, "h": 1}), "overlaps that of"),
        (_broken(query={"metrics": []}), "at least one metric"),
        (_broken(query={"metrics": [1], "groupBy": list("abcdef")}), "at most 5"),
    ],
)
def test_what_is_no_dashboard_is_refused(document: Any, words: str) -> None:
    with pytest.raises(UnfitError, match=words):
        Documents().write("d", document, by="us", now=0)


def test_there_are_so_many_dashboards_at_most() -> None:
    documents = Documents(kept=1)
    documents.write("d", dashboard(), by="us", now=0)

    with pytest.raises(UnfitError, match="too many"):
        documents.write("e", dashboard(), by="us", now=0)


@pytest.mark.parametrize("path", [[], ["widgets", "nobody", "title"], ["name", "x"], ["widgets", "W0", 3]])
def test_a_path_that_leads_nowhere_is_refused(path: list[str | int]) -> None:
    with pytest.raises(UnfitError):
        changed(dashboard(), path, 1)


def test_an_editor_changes_one_field_and_says_which() -> None:
    editor, document = Editor(1), dashboard()
    seen = set()

    for _ in range(50):
        path, value, by = editor.edit(document)
        after = changed(document, path, value)
        assert after != document
        assert by
        seen.add(path[-1])
        document = after

    assert seen == set(FIELDS)


def test_an_editor_does_the_same_for_the_same_seed() -> None:
    assert Editor(7).edit(dashboard()) == Editor(7).edit(dashboard())
    assert Editor(7).whom(["b", "a"]) == Editor(7).whom(["a", "b"])


def test_a_dashboard_without_widgets_is_edited_too() -> None:
    path, _, _ = Editor(1).edit(dashboard(widgets=0), ("refreshInterval",))

    assert path == ["tenant", "note"]
