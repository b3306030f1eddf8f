"""Answers of 2xx to a list of rows, as CRMs write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sinks.partly_taken import says_that_some_failed


@pytest.mark.parametrize(
    "body",
    [
        None,
        "taken",
        {},
        [],
        {"id": "b-1", "status": "accepted", "code": 201},
        {"errors": [], "failed": 0, "success": True},
        {"error": None, "hasErrors": False},
        {"results": [{"status": 200}, {"status": "created", "error": None}]},
        [{"success": True, "errors": []}, {"success": True, "errors": []}],
        {"count": 500, "code": "0"},
        ["a", 4],
    ],
)
def test_an_answer_that_names_no_failure_is_a_success(body: Any) -> None:
    assert not says_that_some_failed(200, body)


@pytest.mark.parametrize(
    "body",
    [
        {"errors": True, "items": [{"status": 201}, {"status": 429}]},  # Elasticsearch's bulk
        [{"success": True, "id": "1"}, {"success": False, "errors": [{"message": "bad"}]}],  # Salesforce's collections
        {"status": "COMPLETE", "results": [], "numErrors": 2, "errors": [{"status": "error"}]},  # HubSpot's batch
        {"results": [{"status": "Created"}, {"status": "Failed"}]},  # Zendesk's jobs
        {"failed": ["a"]},
        {"failed": "1"},
        {"success": False},
        {"ok": False},
        {"status": "partial_success"},
        {"status": 400},
        {"results": [{"statusCode": "422"}]},
        {"data": [{"error": "no such conversation"}]},
    ],
)
@pytest.mark.parametrize("status", [200, 202, 207])
def test_an_answer_that_names_a_failure_is_none(status: int, body: Any) -> None:
    assert says_that_some_failed(status, body)


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        ([{"status": 201}, {"status": 200}], False),
        ({"results": [{"success": True}]}, False),
        ([{"status": 201}, {"href": "/b"}], True),
        ({"results": []}, True),
        (None, True),
    ],
)
def test_a_multi_status_has_to_say_that_all_went_well(body: Any, *, failed: bool) -> None:
    assert says_that_some_failed(207, body) == failed


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "errors", "results", "success", "failed"]), inner)
    ),
    max_leaves=8,
)


@given(st.integers(200, 299), json)
def test_any_answer_has_a_meaning(status: int, body: Any) -> None:
    assert says_that_some_failed(status, body) in {True, False}
