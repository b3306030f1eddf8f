"""What a plan says: right after an apply, a day later, after others' edits, and for those that are not ours yet."""

import json
from typing import Any

from streams.stages.dashboards.compiled import compile_document, is_behind, managed
from streams.stages.dashboards.json_text import dumps
from streams.stages.dashboards.plan import Action, Found, History, Item, plan, to_json
from streams.stages.dashboards.reconcile import taken_over
from streams.stages.dashboards.shown import lines
from tests.streams.stages.dashboards.payloads import DAY, FILE, NOW, document, in_cxone, payload

APPLIED = History(document(), payload())


def planned(text: str = FILE, theirs: dict[str, Any] | None = None, now: float = NOW, by: str | None = None) -> Item:
    found = Found(theirs or in_cxone(), '"7"', by)
    return plan(document(text), "f.yaml", history=APPLIED, found=found, now=now)


def test_right_after_an_apply_it_is_empty() -> None:
    assert planned().action == Action.NOTHING


def test_after_a_day_it_is_still_empty() -> None:
    assert planned(now=NOW + DAY).action == Action.NOTHING


def test_after_reformatting_it_is_empty() -> None:
    text = json.dumps(document())

    assert planned(text).action == Action.NOTHING


def test_another_range_takes_the_time_of_today() -> None:
    item = planned(FILE.replace("range: -7d", "range: -6d"), now=NOW + DAY)

    places = [".".join(change.path[2:]) for change in item.changes]
    assert places == ["query.dateRange", "query.filters.timestamp between"]
    assert item.changes[0].after == {"start": "2026-01-28T02:40:00Z", "end": "2026-02-03T02:40:00Z"}


def test_a_relative_range_is_behind_when_its_unit_is_over() -> None:
    assert not is_behind(document(), NOW, NOW + DAY - 1)
    assert is_behind(document(), NOW, NOW + DAY)


def test_what_others_changed_is_drift_and_no_change() -> None:
    item = planned(theirs=in_cxone(name="Theirs"), by="Eve")

    assert item.action == Action.NOTHING
    assert [text for _, text in lines(item)] == [
        "= sales-floor: nothing to do",
        "    changed in CXone by Eve and not by the file, so it stays:",
        '    ~ name: "Sales floor" -> "Theirs"',
    ]


def test_a_conflict_names_field_values_and_who() -> None:
    item = planned(FILE.replace("name: Sales floor", "name: Ours"), in_cxone(name="Theirs\x1b[2J"))

    assert [text for _, text in lines(item)] == [
        "! sales-floor: 1 in conflict; nothing will be sent",
        "    name",
        '        was: "Sales floor"',
        '        our file: "Ours"',
        '        someone in CXone: "Theirs\\u001b[2J"',
    ]


def test_what_is_not_there_is_made_when_asked_for() -> None:
    arguments: dict[str, Any] = {"history": None, "found": None, "now": NOW}

    assert plan(document(), "f.yaml", **arguments).action == Action.ABSENT
    assert plan(document(), "f.yaml", **arguments, create=True).action == Action.CREATE


def test_a_dashboard_without_history_is_to_be_adopted() -> None:
    found = Found(in_cxone(), '"7"')

    assert plan(document(), "f.yaml", history=None, found=found, now=NOW).action == Action.STRANGER


def test_an_adopted_dashboard_differs_where_the_file_does() -> None:
    theirs = in_cxone()
    theirs["widgets"].append({"title": "Forgotten", "type": "table", "layout": {"x": 0, "y": 9, "w": 1, "h": 1}})
    base = managed(taken_over({}, payload(), theirs))

    item = plan(
        document(FILE.replace("[agent]", "[team]")),
        "f.yaml",
        history=History(None, base),
        found=Found(theirs, '"7"'),
        now=NOW,
    )

    assert [".".join(change.path) for change in item.changes] == ["widgets.Talk.query.groupBy", "widgets.Forgotten"]


def test_an_adopted_dashboard_that_is_like_its_file_needs_nothing() -> None:
    base = managed(taken_over({}, payload(), in_cxone()))

    item = plan(document(), "f.yaml", history=History(None, base), found=Found(in_cxone(), '"7"'), now=NOW)

    assert item.action == Action.NOTHING


def test_a_plan_for_programs_has_values_and_etags() -> None:
    item = planned(FILE.replace("[agent]", "[team]"))

    (told,) = json.loads(dumps(to_json([item], NOW)))["dashboards"]

    assert (told["id"], told["action"], told["etag"]) == ("sales-floor", "update", '"7"')
    path = ["widgets", "Talk", "query", "groupBy"]
    assert told["changes"] == [{"path": path, "before": ["agent"], "after": ["team"]}]
    assert compile_document(told["document"], NOW) == compile_document(item.document, NOW)
