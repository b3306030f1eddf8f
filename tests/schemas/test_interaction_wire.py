"""Interactions written by hand are what fastavro writes, and nothing but an interaction is read."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.interaction_wire import decode, encode
from schemas.records import InteractionCompleted
from schemas.releases import releases, subject_of

SCHEMA: Any = parse_schema(releases()[subject_of(InteractionCompleted)][-1].schema)
text = st.text(st.characters(exclude_categories=["Cs"]))
long = st.integers(-(2**63), 2**63 - 1)
double = st.floats(allow_nan=False)
interactions = st.builds(InteractionCompleted, st.none() | text, text, double, double, long, long)


@given(interactions)
@example(InteractionCompleted("x" * 1023, "y" * 1024, 0.0, 0.0, 2**34 - 1, 0))
@example(InteractionCompleted("é" * 600, "c", 0.0, 0.0, 2**34, 0))
@example(InteractionCompleted(None, "", 0.0, 0.0, 2**41 - 1, -1))
@example(InteractionCompleted(None, "", 0.0, 0.0, 2**41, 1))
@example(InteractionCompleted(None, "", 0.0, 0.0, -(2**63), 2**63 - 1))
def test_both_write_the_same_bytes_and_read_each_other(event: InteractionCompleted) -> None:
    buffer = BytesIO()
    schemaless_writer(buffer, SCHEMA, msgspec.structs.asdict(event))

    body = encode(b"", event)

    assert body == buffer.getvalue()
    assert decode(body, 0) == event


@given(interactions, st.data())
def test_a_body_that_was_cut_or_went_on_is_refused(event: InteractionCompleted, data: st.DataObject) -> None:
    body = encode(b"", event)
    broken = data.draw(st.sampled_from([body[: data.draw(st.integers(0, len(body) - 1))], body + b"\0"]))

    with pytest.raises(ValueError, match=r"."):
        decode(broken, 0)


@given(st.binary())
def test_any_bytes_are_an_interaction_for_both_or_for_neither(body: bytes) -> None:
    stream = BytesIO(body)
    try:
        theirs: Any = schemaless_reader(stream, SCHEMA, None)
    except Exception:  # noqa: BLE001 - fastavro raises whatever the bytes lead it to
        theirs = None
    whole = theirs is not None and stream.tell() == len(body)
    try:
        ours = decode(body, 0)
    except ValueError:
        assert not whole
    else:
        assert whole
        assert repr(ours) == repr(InteractionCompleted(**theirs))


def test_a_number_without_end_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        decode(b"\0\0" + bytes(16) + b"\x80" * 1_000_000, 0)
