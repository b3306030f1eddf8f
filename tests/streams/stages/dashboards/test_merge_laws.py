"""Laws of the three-way merge. CXONE_LAW_CASES=10000 tries each on as many cases; the default takes seconds."""

import copy
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.dashboards.json_text import Decimal, canonical, dumps, loads
from streams.stages.dashboards.merge import MISSING, Conflict, merge, same
from streams.stages.dashboards.widgets import by_key, listed, recognise

CASES = settings(max_examples=int(os.environ.get("CXONE_LAW_CASES", "60")))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**63, 2**70),
    st.sampled_from(["a", "b", "é", "\ud800", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"]),
    st.sampled_from(["1.0", "1.50", "1e2", "0.1000000000000000000001"]).map(Decimal),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrs"), inner), max_leaves=6
)
metrics = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("mn"), "aggregation": st.sampled_from(["SUM", "AVG"])}), max_size=3
)
filters = st.lists(
    st.fixed_dictionaries({"attribute": st.sampled_from("ab"), "condition": st.just("in"), "value": values}), max_size=3
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "dateRange": st.fixed_dictionaries({"start": scalars, "end": scalars}),
        "groupBy": st.lists(st.sampled_from("gh")),
        "metrics": metrics | values,
        "filters": filters,
        "later": values,
    },
)
widgets = st.fixed_dictionaries(
    {"title": st.sampled_from("TUV")},
    optional={
        "type": st.sampled_from(["metric", "table"]),
        "query": queries,
        "layout": st.fixed_dictionaries({name: st.integers(0, 2) for name in "xy"}),
        "unknown": values,
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    fields = draw(st.dictionaries(st.sampled_from(["name", "description", "refreshInterval", "unknown"]), values))
    named = {"widgets": draw(st.dictionaries(st.sampled_from("klmn"), widgets))}
    pairs = draw(st.permutations([*fields.items(), *named.items()]))
    return dict(pairs)


@st.composite
def edited(draw: st.DrawFn, base: dict[str, Any]) -> dict[str, Any]:
    """Return what somebody made of a document: most of it as it was."""
    document = copy.deepcopy(base)
    held = document.setdefault("widgets", {})
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(["field", "add", "remove", "edit", "reorder"])):
            case "field":
                document[draw(st.sampled_from(["name", "unknown", "new"]))] = draw(values)
            case "add":
                held[draw(st.sampled_from("xyz"))] = draw(widgets)
            case "remove" if held:
                del held[draw(st.sampled_from(sorted(held)))]
            case "edit" if held:
                widget = held[draw(st.sampled_from(sorted(held)))]
                name = draw(st.sampled_from(["title", "query", "layout", "unknown"]))
                widget[name] = draw(queries) if name == "query" else draw(scalars)
            case "reorder":
                document["widgets"] = held = dict(draw(st.permutations(list(held.items()))))
    return document


@st.composite
def three(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    base = draw(documents())
    return base, draw(edited(base)), draw(edited(base))


@CASES
@given(documents(), documents())
def test_what_one_side_left_alone_is_the_others(base: dict[str, Any], x: dict[str, Any]) -> None:
    for merged in (merge(base, x, base), merge(base, base, x)):
        assert dumps(merged.document) == dumps(x)
        assert merged.conflicts == ()


@CASES
@given(documents(), documents())
def test_what_both_sides_made_is_taken_once(base: dict[str, Any], x: dict[str, Any]) -> None:
    merged = merge(base, x, x)

    assert dumps(merged.document) == dumps(x)
    assert merged.conflicts == ()


@CASES
@given(three())
def test_swapping_the_sides_swaps_only_labels(sides: tuple[dict[str, Any], ...]) -> None:
    base, ours, theirs = sides

    merged, mirrored = merge(base, ours, theirs), merge(base, theirs, ours)

    assert dumps(merged.document) == dumps(mirrored.document)
    assert list(map(_shown, merged.conflicts)) == [_shown(conflict.swapped()) for conflict in mirrored.conflicts]


@CASES
@given(three())
def test_what_neither_side_touched_stays_byte_for_byte(sides: tuple[dict[str, Any], ...]) -> None:
    base, ours, theirs = sides

    merged = merge(base, ours, theirs)

    for name, value in base.items():
        if name != "widgets" and all(name in side and dumps(side[name]) == dumps(value) for side in (ours, theirs)):
            assert dumps(merged.document[name]) == dumps(value)
    for key, widget in base.get("widgets", {}).items():
        kept = [side.get("widgets", {}).get(key) for side in (ours, theirs)]
        if all(isinstance(side, dict) for side in kept):
            for name, value in widget.items():
                if all(name in side and dumps(side[name]) == dumps(value) for side in kept):
                    assert dumps(merged.document["widgets"][key][name]) == dumps(value)


@CASES
@given(three())
def test_every_change_of_one_side_is_in_the_result_or_in_a_conflict(sides: tuple[dict[str, Any], ...]) -> None:
    base, ours, theirs = sides

    merged = merge(base, ours, theirs)

    for conflict in merged.conflicts:
        assert not same(conflict.ours, conflict.theirs)
        assert not same(conflict.base, conflict.ours)
        assert not same(conflict.base, conflict.theirs)
    troubled = {conflict.path for conflict in merged.conflicts}
    for side in (ours, theirs):
        for name, value in side.items():
            if name != "widgets" and not _is(base.get(name, MISSING), value) and isinstance(value, str | int | None):
                assert (name,) in troubled or _is(merged.document[name], value)


@CASES
@given(documents(), documents())
def test_a_document_of_cxone_keeps_its_bytes_through_keys_and_back(base: dict[str, Any], x: dict[str, Any]) -> None:
    theirs = listed(x)

    keys = recognise(base.get("widgets", {}), base.get("widgets", {}), theirs.get("widgets", []))
    merged = merge(base, base, by_key(theirs, keys))

    assert len(set(keys)) == len(keys)
    assert dumps(listed(merged.document)) == dumps(theirs)


@CASES
@given(values)
def test_a_text_is_read_and_written_without_loss(value: Any) -> None:
    text = dumps(value)

    assert dumps(loads(text)) == text
    assert canonical(loads(text)) == canonical(value)


def _is(one: object, other: object) -> bool:
    return one is not MISSING and same(one, other)


def _shown(conflict: Conflict) -> tuple[object, ...]:
    sides = (conflict.base, conflict.ours, conflict.theirs)
    return conflict.path, *(None if side is MISSING else dumps(side) for side in sides)
