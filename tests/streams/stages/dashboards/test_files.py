"""Everything that is wrong with a file, at once."""

import json
from pathlib import Path

import pytest

from streams.stages.dashboards.compiled import compile_document
from streams.stages.dashboards.files import check, repeated
from streams.stages.dashboards.model import json_schema

NOW = 1_770_000_000.0  # 2026-02-02T02:40:00Z

GOOD = """\
id: sales-floor
name: Sales floor
widgets:
  - key: waiting
    title: Waiting now
    type: metric
    position: {x: 0, y: 0, w: 2, h: 1}
    query:
      skills: [sales, support]
      range: -7d
      groupBy: [skill, hour]
      metrics: [total_conversations, {name: talk, aggregation: MAX, attribute: talk_time}]
  - title: Talk
    type: table
    position: {x: 2, y: 0, w: 2, h: 1}
    query:
      dateRange: {start: 2026-01-20T00:00:00+01:00, end: 2026-02-02T03:30:00Z}
      groupBy: [agent]
      metrics: [{name: talk, aggregation: AVG, attribute: talk_time}]
      filters:
        - {condition: between, attribute: talk_time, value: [10, 20.5]}
"""


def problems(text: str) -> list[str]:
    return [f"{problem.line} {problem.path}: {problem.words}" for problem in check(text, "f.yaml", NOW).problems]


def changed(old: str, new: str) -> list[str]:
    assert GOOD.count(old) == 1
    return problems(GOOD.replace(old, new))


def test_a_good_file_is_a_document_with_its_defaults() -> None:
    checked = check(GOOD, "f.yaml", NOW)

    assert checked.document is not None
    assert (checked.problems, checked.warnings) == ((), [])
    assert checked.document["refreshInterval"] == 15
    assert checked.document["layout"] == {"type": "grid", "columns": 4}
    first, second = checked.document["widgets"]
    assert first["query"]["range"] == "-7d"
    assert first["refreshInterval"] == 10
    assert first["query"]["metrics"][0] == {
        "name": "total_conversations",
        "aggregation": "COUNT",
        "attribute": "conversation",
    }
    assert "key" not in second
    assert "description" not in checked.document


def test_formatting_makes_no_difference() -> None:
    reformatted = "# a comment\n" + json.dumps(check(GOOD, "f.yaml", NOW).document)

    assert check(reformatted, "f.yaml", NOW).document == check(GOOD, "f.yaml", NOW).document


def test_a_time_is_as_rfc_3339_has_it() -> None:
    small = check(GOOD.replace("2026-02-02T03:30:00Z", "2026-02-02t03:30:00.000z"), "f.yaml", NOW)

    assert small.problems == ()
    assert small.document is not None
    assert compile_document(small.document, NOW)["widgets"]["Talk"]["query"]["dateRange"] == {
        "start": "2026-01-19T23:00:00Z",
        "end": "2026-02-02T03:30:00Z",
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: sales-floor", "id: ../x", "1 id: `../x` does not look like an id"),
        ("id: sales-floor\n", "", "1 id: is missing"),
        ("name: Sales", "nam: Sales", "2 nam: is not known. Did you mean name?"),
        ("name: Sales floor", "name: 7", "2 name: should be a valid string (it is 7)"),
        ("title: Talk\n    type: table", "type: table", "13 widgets[1].title: is missing"),
        ("type: table", "type: chart", "14 widgets[1].type: should be 'metric' or 'table' (it is 'chart')"),
        ("x: 2, y: 0", "x: 1, y: 0", "15 widgets[1].position: lies on the cells of widgets[0]"),
        ("x: 2, y: 0", "x: 3, y: 0", "15 widgets[1].position: reaches column 5: the grid has 4"),
        ("x: 2, y: 0", "x: -1, y: 0", "15 widgets[1].position.x: should be greater than or equal to 0 (it is -1)"),
        ("x: 2, y: 0", "x: true, y: 0", "15 widgets[1].position.x: should be a valid integer (it is True)"),
        ("range: -7d", "range: -31d", "10 widgets[0].query.range: is 31.0 days long: CXone takes 30"),
        ("range: -7d", "range: -7y", "10 widgets[0].query.range: `-7y` does not look like a time before now"),
        ("range: -7d", "dateRange: {start: now}", "10 widgets[0].query.dateRange: ends before it starts"),
        ("range: -7d", "dateRange: {start: -9999w}", "10 widgets[0].query.dateRange: is 69993.0 days long"),
        ("03:30:00Z", "03:41:00Z", "17 widgets[1].query.dateRange: ends 1.0 hours ahead: CXone takes 1"),
        ("03:30:00Z", "03:30:00", "17 widgets[1].query.dateRange.end: `2026-02-02T03:30:00` has no time zone"),
        ("2026-01-20T00:00:00+01:00", "0001-01-01T00:00:00+14:00", "17 widgets[1].query.dateRange.start: `0001-01-01T"),
        ("03:30:00Z", "25:30:00Z", "17 widgets[1].query.dateRange.end: `2026-02-02T25:30:00Z` is no time such as"),
        ("2026-01-20T00:00:00+01:00", "2025-01-01T00:00:00Z", "17 widgets[1].query.dateRange: is 397.1 days long"),
        ("[skill, hour]", "[a, b, c, d, e, f]", "11 widgets[0].query.groupBy: has 6 items: at most 5"),
        ("[skill, hour]", "[skill, skill]", "11 widgets[0].query.groupBy[1]: `skill` is there already"),
        ("AVG", "MEDIAN", "19 widgets[1].query.metrics[0].aggregation: should be 'COUNT', 'SUM', 'AVG', 'MIN' or"),
        ("[{name: talk, aggregation: AVG, attribute: talk_time}]", "[]", "19 widgets[1].query.metrics: has 0 items"),
        ("[{name: talk, aggregation: AVG, attribute: talk_time}]", "[{name: a}]", "19 widgets[1].query.metrics[0].agg"),
        (
            "{name: talk, aggregation: MAX",
            "{name: total_conversations, aggregation: MAX",
            "12 widgets[0].query.metrics[1]",
        ),
        (
            "[total_conversations, ",
            "[total, ",
            "12 widgets[0].query.metrics[0]: is no metric that is known by its name",
        ),
        ("value: [10, 20.5]", "value: [20.5, 10]", "21 widgets[1].query.filters[0].value: must be in order"),
        ("value: [10, 20.5]", "value: [10, 10]", "21 widgets[1].query.filters[0].value: must be in order"),
        ("value: [10, 20.5]", "value: [10]", "21 widgets[1].query.filters[0].value: must be two values"),
        (
            "value: [10, 20.5]",
            "value: [10, b]",
            "21 widgets[1].query.filters[0].value: must be two numbers or two texts",
        ),
        (
            "between, attribute: talk_time, value: [10, 20.5]",
            "in, attribute: a, value: []",
            "21 widgets[1].query.filters[0]",
        ),
        (
            "attribute: talk_time, value: [10, 20.5]",
            'attribute: t, value: ["2026-01-01T00:00:00Z", "2026-01-01T00:30:00+01:00"]',
            "21 widgets[1].query.filters[0].value: must be in order",
        ),
        (
            "condition: between",
            "condition: like",
            "21 widgets[1].query.filters[0].condition: should be 'in' or 'between'",
        ),
        (
            "range: -7d",
            "range: -7d\n      filters: [{condition: in, attribute: skill, value: [a]}]",
            "11 widgets[0].query.f",
        ),
        ("title: Talk", "title: waiting", "13 widgets[1].title: `waiting` is the key of widgets[0], too: give one"),
        (
            "type: metric",
            "type: metric\n    visualization: {type: pie}",
            "7 widgets[0].visualization.type: should be 'line'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    found = changed(old, new)

    assert any(problem.startswith(expected) for problem in found), found


def test_all_mistakes_come_at_once() -> None:
    text = GOOD.replace("name: Sales floor", "name: on").replace("x: 2, y: 0", "x: 0, y: 0")
    text = text.replace("range: -7d", "range: -31d").replace("AVG", "MEDIAN").replace("id: ", "idd: ")

    found = problems(text)

    places = [
        "id",
        "idd",
        "name",
        "widgets[0].query.range",
        "widgets[1].position",
        "widgets[1].query.metrics[0].aggregation",
    ]
    assert places == sorted(line.split(" ", 1)[1].split(": ")[0] for line in found)


def test_sixteen_widgets_are_too_many() -> None:
    query = "query: {{metrics: [avg_handle_time]}}"
    widget = "  - {{title: W{0}, type: metric, position: {{x: 0, y: {0}, w: 1, h: 1}}, " + query + "}}"
    text = "id: a\nname: b\nwidgets:\n" + "\n".join(widget.format(number) for number in range(16))

    assert problems(text) == ["3 widgets: has 16 items: at most 15"]


def test_what_pulls_raw_rows_is_a_warning() -> None:
    text = GOOD.replace("      groupBy: [agent]\n", "").replace("      range: -7d\n", "")

    warned = [f"{warning.path}: {warning.words}" for warning in check(text, "f.yaml", NOW).warnings]

    assert warned == [
        "widgets[0].query: has no range: it pulls raw rows of all times",
        "widgets[1].query: has no groupBy: a table pulls raw rows",
    ]


@pytest.mark.parametrize(
    "text", ["[]", "x", "widgets: 7", "widgets: [7, [], {query: 7}]", "layout: 7", "widgets: [{query: {filters: 7}}]"]
)
def test_whatever_the_shape_there_are_problems(text: str) -> None:
    assert problems(text)


def test_an_id_belongs_to_one_file() -> None:
    both = [check(GOOD, "a.yaml", NOW), check(GOOD, "b.yaml", NOW), check("id: 7", "c.yaml", NOW)]

    assert [str(problem) for problem in repeated(both)] == ["b.yaml:1:1: id: `sales-floor` is the id of a.yaml, too"]


def test_the_schema_for_editors_is_the_models() -> None:
    checked_in = Path(__file__).parents[4] / "docs" / "dashboard.schema.json"

    assert json.loads(checked_in.read_text()) == json_schema(), "make it anew: cxone-streams dashboards schema"
