"""Our file beside what others do in CXone."""

import copy
from typing import Any

import pytest

from streams.stages.dashboards.json_text import UnreadableError, dumps
from streams.stages.dashboards.merge import MISSING
from streams.stages.dashboards.reconcile import Reconciled, reconcile
from tests.streams.stages.dashboards.payloads import FILE, in_cxone, payload


def edited(**fields: Any) -> dict[str, Any]:
    """Return CXone's document with fields of its first widget changed."""
    theirs = in_cxone()
    theirs["widgets"][0].update(fields)
    return theirs


def outcome(theirs: dict[str, Any], text: str = FILE) -> Reconciled:
    return reconcile(payload(), payload(text), theirs)


def changed(outcome: Reconciled) -> list[str]:
    return [".".join(change.path) for change in outcome.changes]


def drifted(outcome: Reconciled) -> list[str]:
    return [".".join(change.path) for change in outcome.drift]


def in_conflict(outcome: Reconciled) -> list[str]:
    return [".".join(conflict.path) for conflict in outcome.conflicts]


def added(title: str, x: int, y: int) -> dict[str, Any]:
    return {
        **copy.deepcopy(in_cxone()["widgets"][0]),
        "title": title,
        "query": {},
        "layout": {"x": x, "y": y, "w": 1, "h": 1},
    }


def test_nothing_to_do_leaves_every_byte() -> None:
    theirs = in_cxone()

    found = outcome(theirs)

    assert (found.changes, found.drift, found.conflicts) == ((), (), ())
    assert dumps(found.document) == dumps(theirs)


def test_our_change_goes_beside_theirs() -> None:
    theirs = edited(refreshInterval=30, colour="red")

    found = outcome(theirs, FILE.replace("[sales, support]", "[sales]"))

    assert changed(found) == ["widgets.waiting.query.filters.skill in"]
    assert drifted(found) == ["widgets.waiting.refreshInterval"]
    assert found.document["widgets"][0]["query"]["filters"][0]["value"] == ["sales"]
    assert found.document["widgets"][0]["refreshInterval"] == 30
    assert found.document["widgets"][0]["colour"] == "red"
    assert found.document["owner"] == {"name": "somebody", "share": 1.5}


def test_the_same_field_changed_by_both_is_a_conflict() -> None:
    found = outcome(in_cxone(name="Theirs"), FILE.replace("name: Sales floor", "name: Ours"))

    (conflict,) = found.conflicts
    assert (conflict.path, conflict.base, conflict.ours, conflict.theirs) == (
        ("name",),
        "Sales floor",
        "Ours",
        "Theirs",
    )
    assert found.changes == ()


def test_a_widget_renamed_in_cxone_is_found_again() -> None:
    found = outcome(edited(title="Renamed"), FILE.replace("x: 0, y: 0", "x: 0, y: 1"))

    assert changed(found) == ["widgets.waiting.layout"]
    assert found.document["widgets"][0]["title"] == "Renamed"
    assert len(found.document["widgets"]) == 2


def test_a_widget_renamed_and_moved_in_cxone_is_found_by_its_query() -> None:
    found = outcome(edited(title="Renamed", layout={"x": 0, "y": 5, "w": 1, "h": 1}))

    assert drifted(found) == ["widgets.waiting.title", "widgets.waiting.layout"]


def test_a_widget_renamed_in_the_file_keeps_its_key() -> None:
    found = outcome(edited(refreshInterval=30), FILE.replace("title: Waiting now", "title: Now"))

    assert changed(found) == ["widgets.waiting.title"]
    assert found.document["widgets"][0]["refreshInterval"] == 30


def test_renamed_by_both_is_a_conflict() -> None:
    found = outcome(edited(title="Theirs"), FILE.replace("title: Waiting now", "title: Ours"))

    assert in_conflict(found) == ["widgets.waiting.title"]


@pytest.mark.parametrize(
    ("theirs", "conflict"),
    [
        ({"layout": {"x": 0, "y": 3, "w": 2, "h": 1}}, "widgets.waiting.layout"),
        ({"layout": {"x": 0, "y": 2, "w": 2, "h": 1}}, None),
    ],
)
def test_moved_by_both(theirs: dict[str, Any], conflict: str | None) -> None:
    found = outcome(edited(**theirs), FILE.replace("x: 0, y: 0", "x: 0, y: 2"))

    assert in_conflict(found) == ([conflict] if conflict else [])


def test_moved_by_us_and_edited_by_them() -> None:
    found = outcome(edited(refreshInterval=30), FILE.replace("x: 0, y: 0", "x: 0, y: 2"))

    assert changed(found) == ["widgets.waiting.layout"]


def test_removed_by_us_and_untouched_by_them() -> None:
    text = FILE[: FILE.index("  - title: Talk")]

    found = outcome(in_cxone(), text)

    assert changed(found) == ["widgets.Talk"]
    assert [widget["title"] for widget in found.document["widgets"]] == ["Waiting now"]


def test_removed_by_us_and_edited_by_them_is_a_conflict() -> None:
    theirs = in_cxone()
    theirs["widgets"][1]["refreshInterval"] = 99

    found = outcome(theirs, FILE[: FILE.index("  - title: Talk")])

    (conflict,) = found.conflicts
    assert conflict.path == ("widgets", "Talk")
    assert conflict.ours is MISSING


def test_removed_by_them_and_untouched_by_us_stays_removed() -> None:
    theirs = in_cxone()
    del theirs["widgets"][1]

    found = outcome(theirs)

    assert (found.changes, drifted(found)) == ((), ["widgets.Talk"])


def test_removed_by_them_and_edited_by_us_is_a_conflict() -> None:
    theirs = in_cxone()
    del theirs["widgets"][1]

    assert in_conflict(outcome(theirs, FILE.replace("[agent]", "[team]"))) == ["widgets.Talk"]


def test_what_they_added_stays() -> None:
    theirs = in_cxone()
    theirs["widgets"].append(added("New", 0, 7))

    found = outcome(theirs, FILE.replace("[agent]", "[team]"))

    assert changed(found) == ["widgets.Talk.query.groupBy"]
    assert drifted(found) == ["widgets.New"]


OURS = (
    FILE
    + """\
  - {title: Ours, type: metric, position: {x: 0, y: 7, w: 2, h: 1}, query: {metrics: [avg_handle_time]}}
"""
)


def test_added_by_both_on_the_same_cells_is_a_conflict() -> None:
    theirs = in_cxone()
    theirs["widgets"].append(added("Theirs", 1, 7))

    (conflict,) = outcome(theirs, OURS).conflicts

    assert conflict.path == ("widgets", "Ours", "layout")
    assert conflict.words == "`Ours` and `Theirs` would lie on the same cells"


def test_cells_that_others_let_overlap_are_theirs_to_mend() -> None:
    theirs = in_cxone()
    theirs["widgets"].append(added("Theirs", 0, 0))

    assert changed(outcome(theirs, OURS)) == ["widgets.Ours"]


def test_together_more_than_fifteen_is_a_conflict() -> None:
    theirs = in_cxone()
    theirs["widgets"] += [added(f"T{number}", 3, 10 + number) for number in range(13)]

    (conflict,) = outcome(theirs, OURS).conflicts

    assert (conflict.path, conflict.words) == (("widgets",), "together they are 16: CXone takes 15")


def test_what_they_changed_and_the_file_now_says_is_settled() -> None:
    found = outcome(in_cxone(name="Both"), FILE.replace("name: Sales floor", "name: Both"))

    assert (found.changes, found.drift, found.conflicts) == ((), (), ())


@pytest.mark.parametrize("zone", [".000+00:00", ".000z"])
def test_times_and_numbers_written_differently_are_no_change(zone: str) -> None:
    theirs = in_cxone(refreshInterval=15.0)
    query = theirs["widgets"][0]["query"]
    query["dateRange"] = {name: time.replace("Z", zone) for name, time in query["dateRange"].items()}

    assert (outcome(theirs).changes, outcome(theirs).drift) == ((), ())


def test_two_widgets_of_one_title_are_told_apart_by_query_and_place() -> None:
    text = FILE.replace("title: Talk", "key: talk\n    title: Waiting now")
    theirs = in_cxone(text)
    theirs["widgets"].reverse()

    found = reconcile(payload(text), payload(text.replace("[agent]", "[team]")), theirs)

    assert changed(found) == ["widgets.talk.query.groupBy"]


@pytest.mark.parametrize("widgets", [7, "x", [7], {"a": {}}])
def test_widgets_that_are_none_are_refused(widgets: object) -> None:
    with pytest.raises(UnreadableError):
        outcome(in_cxone(widgets=widgets))


@pytest.mark.parametrize(
    "widget", [{}, {"title": 7}, {"title": "Waiting now", "query": 7, "layout": "x"}, {"layout": {"x": 1}}]
)
def test_whatever_a_widget_of_theirs_looks_like_it_stays(widget: dict[str, Any]) -> None:
    theirs = in_cxone()
    theirs["widgets"].append(widget)

    found = outcome(theirs, FILE.replace("[agent]", "[team]"))

    assert found.document["widgets"][2] == widget
