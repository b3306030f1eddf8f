"""From CXone into a file, and back."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.dashboards.compiled import compile_document, managed
from streams.stages.dashboards.files import check
from streams.stages.dashboards.merge import same
from streams.stages.dashboards.reconcile import taken_over
from streams.stages.dashboards.written import document_of, text
from streams.stages.dashboards.yaml_source import read
from tests.streams.stages.dashboards.payloads import FILE, NOW, in_cxone


def round_trip(theirs: dict[str, Any]) -> dict[str, Any]:
    checked = check(text(document_of(theirs, "sales-floor")), "f.yaml", NOW)
    assert checked.document is not None, checked.problems
    return compile_document(checked.document, NOW)


def test_what_is_got_applies_as_it_is() -> None:
    theirs = in_cxone(description="on: 12:30\n0777")

    ours = round_trip(theirs)

    assert same(managed(taken_over({}, ours, theirs)), ours)


def test_two_widgets_of_one_title_get_keys() -> None:
    theirs = in_cxone(FILE.replace("title: Talk", "key: talk\n    title: Waiting now"))

    ours = round_trip(theirs)

    assert list(ours["widgets"]) == ["Waiting now", "Waiting now #2"]


def test_what_a_file_cannot_say_is_left_out() -> None:
    written = text(document_of(in_cxone(), "sales-floor"))

    assert "owner" not in written
    assert "version" not in written


awkward = st.sampled_from(
    ["on", "12:30", "0777", "1e3", "~", "null", "-7d", "a: b", "#x", "é", "x ", " x", "", "&a", "*a", "!x"]
)


@settings(max_examples=50)
@given(
    st.dictionaries(awkward.filter(bool), awkward | st.lists(awkward) | st.integers(-9, 9) | st.booleans(), max_size=4)
)
def test_every_text_comes_back_as_itself(values: dict[str, Any]) -> None:
    source = read(text({"values": values}), "f.yaml")

    assert source.problems == []
    assert source.value == {"values": values}
