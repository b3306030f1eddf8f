"""An id is found as it was written, or the body is unusable: never an error, never an id that everybody shares."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ingress.webhooks.payload import NO_ID, NOT_AN_OBJECT, NOT_JSON, Unusable, identify

ID = (("id",),)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"id":"abc"}', "abc"),
        (b'{"id":"0"}', "0"),
        (b'{"id":0}', "0"),
        (b'{"id":42}', "42"),
        (b'{"id":-7}', "-7"),
        (b'{"id":18446744073709551615}', "18446744073709551615"),
        (b'{"id":123456789012345678901234567890}', "123456789012345678901234567890"),
        (b'{"id":1.50}', "1.50"),
        (b'{"id":1e5}', "1e5"),
        ('{"id":"ünïcode 漢"}'.encode(), "ünïcode 漢"),
        (b'{"id":"' + b"x" * 256 + b'"}', "x" * 256),
    ],
)
def test_an_id_is_taken_as_it_was_written(body: bytes, found: str) -> None:
    assert identify(body, ID) == found


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", NOT_JSON),
        (b"id=1", NOT_JSON),
        (b'{"id":"a"', NOT_JSON),
        (b'{"id":"a","score":NaN}', NOT_JSON),
        (b'{"id":"a","score":Infinity}', NOT_JSON),
        (b'{"id":"a","score":-Infinity}', NOT_JSON),
        (b'{"id":"a","text":"\xff\xfe"}', NOT_JSON),
        (b'{"id":"\\ud800"}', NOT_JSON),
        (b'{"id":"\\udc00"}', NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b'{"id":' + b"9" * 400 + b"}", NOT_JSON),
        (b"[]", NOT_AN_OBJECT),
        (b'"id"', NOT_AN_OBJECT),
        (b"null", NOT_AN_OBJECT),
        (b"{}", NO_ID),
        (b'{"id":null}', NO_ID),
        (b'{"id":""}', NO_ID),
        (b'{"id":true}', NO_ID),
        (b'{"id":["a"]}', NO_ID),
        (b'{"id":{"a":1}}', NO_ID),
        (b'{"id":"nul\\u0000"}', NO_ID),
        (b'{"id":"' + b"x" * 257 + b'"}', NO_ID),
        (b'{"id":0.' + b"1" * 300 + b"}", NO_ID),
    ],
)
def test_what_cannot_be_used_says_why(body: bytes, reason: str) -> None:
    unusable = identify(body, ID)

    assert isinstance(unusable, Unusable)
    assert unusable.reason == reason


def test_the_first_path_that_leads_somewhere_counts() -> None:
    paths = (("contact", "id"), ("id",))

    assert identify(b'{"id":"b","contact":{"id":"a"}}', paths) == "a"
    assert identify(b'{"id":"b","contact":"none"}', paths) == "b"
    assert identify(b"{}", paths) == Unusable(NO_ID, "contact.id or id is missing")


def test_deep_nesting_beside_a_long_number_is_no_error() -> None:
    body = b'{"id":1.5,"x":' + b"[" * 1_000 + b"]" * 1_000 + b"}"

    assert identify(body, ID) in ("1.5", Unusable(NO_ID, "id is missing"))


@given(body=st.binary(max_size=200))
@settings(max_examples=300)
def test_no_bytes_are_an_error(body: bytes) -> None:
    assert identify(body, ID)


@given(
    content=st.dictionaries(
        st.sampled_from(["id", "other"]),
        st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4),
    )
)
@settings(max_examples=300)
def test_what_is_found_is_never_empty_and_always_encodes(content: dict[str, object]) -> None:
    found = identify(json.dumps(content).encode(), ID)

    if isinstance(found, str):
        assert 0 < len(found.encode()) <= 4 * 256
        assert "\0" not in found
        assert content["id"] is not True
