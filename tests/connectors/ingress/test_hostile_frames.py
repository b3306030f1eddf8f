"""Frames with any value at any of the dialect's paths: an event, a dead letter or another frame, never an exception."""

from dataclasses import fields as fields_of
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone.connection import Frame
from connectors.cxone.dialect import load
from connectors.ingress import interactions, messaging
from connectors.ingress.raw_record import Feed, outgoing
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import RECEIVED_AT, Consumed
from schemas.frame_fields import InteractionFields, MessageFields, Paths
from schemas.records import GuestMessage, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import Frames
from streams.stages.messages.reading import messages
from streams.stages.normalise.reading import interactions as readings

DIALECT = load("v2")
MESSAGE, INTERACTION = DIALECT.messaging.fields.message(), DIALECT.interactions.fields.interaction()
CODEC = Codec(FileSchemaIds())


def paths(of: MessageFields | InteractionFields) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for field in fields_of(of):
        value: Paths = getattr(of, field.name)
        if isinstance(value, tuple) and value and isinstance(value[0], tuple):
            found += value
    if isinstance(of, MessageFields):
        found += [(*path, part) for path in of.fingerprint for part in of.fingerprint_parts]
    return found


def nested(depth: int, value: object, *, key: str | None) -> bytes:
    inside = orjson.dumps(value)
    opening, closing = (b"[", b"]") if key is None else (b'{"%s":' % key.encode(), b"}")
    return opening * depth + inside + closing * depth


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["message", "inbound", "interaction.completed", "x" * 300_000, "\0", "1e999", "9" * 5000]),
)
values = st.one_of(
    plain.map(orjson.dumps),
    st.builds(nested, st.sampled_from([1, 5, 250, 900, 1000]), plain, key=st.sampled_from([None, "a", "ip"])),
)


@st.composite
def frames(draw: st.DrawFn, at: list[tuple[str, ...]], beginning: dict[str, Any]) -> bytes:
    """Draw a frame as bytes: values are put in as text, for JSON libraries read deeper than they write."""
    frame: dict[str, Any] = orjson.loads(orjson.dumps(beginning))
    places: dict[str, bytes] = {}
    for number, path in enumerate(draw(st.lists(st.sampled_from(at), max_size=5, unique=True))):
        inside = frame
        for key in path[:-1]:
            if not isinstance(inside.get(key), dict):
                inside[key] = {}
            inside = inside[key]
        name = f"@{number}@"
        inside[path[-1]], places[name] = name, draw(values)
    data = orjson.dumps(frame)
    for name, value in places.items():
        data = data.replace(b'"%s"' % name.encode(), value)
    return data


def connected(data: bytes, feed: Feed) -> None:
    record = outgoing(Frame(data, "c-1", 0, 1_700_000_000_000), feed)

    assert record.topic in {feed.topic.name, DEAD_LETTERS.name}
    assert record.value == data[: len(record.value or b"")]


@given(frames(paths(MESSAGE), {"type": "message", "direction": "inbound", "conversationId": "c", "text": "hello"}))
def test_a_message_with_any_values_is_a_record_or_a_dead_letter(data: bytes) -> None:
    connected(data, messaging.feed(MESSAGE))
    raw = Consumed(0, data, b"k", ((RECEIVED_AT, b"1700000000000"),), 1_700_000_000_000)
    core = Frames(0, {}, reading=messages(MESSAGE, encode=CODEC.encoder(GuestMessage)), horizon=60_000)

    core.fold(Chunk("cxone.raw.messages", 0, [raw]))

    assert len(core.flush(0, seal=True).outputs) <= 1


@given(frames(paths(INTERACTION), {"eventType": "interaction.completed", "payload": {"interactionId": "i"}}))
def test_an_interaction_with_any_values_is_a_record_or_a_dead_letter(data: bytes) -> None:
    connected(data, interactions.feed(INTERACTION))
    raw = Consumed(0, data, b"k", ((RECEIVED_AT, b"1700000000000"),), 1_700_000_000_000)
    reading = readings(INTERACTION, clock_skew=10_000, encode=CODEC.encoder(InteractionCompleted))
    core = Frames(0, {}, reading=reading, horizon=60_000)

    core.fold(Chunk("cxone.raw.interactions", 0, [raw]))

    assert len(core.flush(0, seal=True).outputs) <= 1


@pytest.mark.parametrize(("depth", "topic", "key"), [(61, "cxone.raw.messages", b"c"), (62, DEAD_LETTERS.name, None)])
def test_a_fingerprint_that_is_nested_is_none_and_one_too_deep_is_a_dead_letter(
    depth: int, topic: str, key: bytes | None
) -> None:
    deep = nested(depth, "1.2.3.4", key=None)
    data = b'{"type":"message","direction":"inbound","conversationId":"c","text":"x","guest":{"fingerprint":{"ip":%s}}}'
    data = data % deep

    record = outgoing(Frame(data, "c-1", 0, 1_700_000_000_000), messaging.feed(MESSAGE))

    assert (record.topic, record.key, record.value) == (topic, key, data)
    assert dict(record.headers).get(DEAD_REASON) == (b"too deep" if key is None else None)
