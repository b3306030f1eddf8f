"""Webhooks through the stage `actions`."""

import json
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import (
    DASHBOARD_PATH,
    DATA_ACTION_PATH,
    EVENT_ID,
    RECEIVED_AT,
    SOURCE_POSITION,
    WEBHOOK_PATH,
    Consumed,
    Headers,
    Outgoing,
)
from schemas.records import CXoneInteraction, DashboardChange
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_CHANGES, DEAD_LETTERS, INTERACTIONS_ML
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import Frames
from streams.stages.actions.reading import webhooks

if TYPE_CHECKING:
    from streams.stages.actions.delivery import Delivery

CODEC = Codec(FileSchemaIds())
ACTIONS = dialect.load("v2").actions
READING = webhooks(
    ACTIONS.interaction.action(),
    ACTIONS.dashboard.change(),
    encode_interaction=CODEC.encoder(CXoneInteraction),
    encode_change=CODEC.encoder(DashboardChange),
)
NOW = 1_795_250_400_000  # ms
FULL = {"id": "i-1", "channel": "voice", "customer": {"email": "a@b.example"}, "agent": {"id": 17}}


def webhook(
    content: object, *, offset: int = 0, path: str = DATA_ACTION_PATH, delivery: str | None = None, at: int = NOW
) -> Consumed:
    headers: Headers = ((RECEIVED_AT, b"%d" % (at - 5)), (WEBHOOK_PATH, path.encode()))
    if delivery is not None:
        headers = (*headers, (EVENT_ID, delivery.encode()))
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return Consumed(offset, body, headers=headers, timestamp=at)


def outputs(*records: Consumed) -> list[Outgoing]:
    frames: Frames[Delivery] = Frames(3, {}, horizon=86_400_000, reading=READING)
    numbered = [
        Consumed(at, each.value, headers=each.headers, timestamp=each.timestamp) for at, each in enumerate(records)
    ]
    frames.fold(Chunk("raw", 3, numbered))
    return frames.flush(0.0, seal=True).outputs


def interaction(record: Outgoing) -> CXoneInteraction:
    assert record.topic == INTERACTIONS_ML.name
    return CODEC.decoder(CXoneInteraction)(record.value or b"")


def test_a_data_action_becomes_an_interaction_under_its_id() -> None:
    (record,) = outputs(webhook(FULL, delivery="d-1"))

    assert interaction(record) == CXoneInteraction("i-1", "voice", NOW - 5, "a@b.example", "17")
    assert record.key == b"i-1"
    assert record.headers == ((SOURCE_POSITION, b"3:0"), (EVENT_ID, b"d-1"))


def test_the_wire_has_the_names_that_readers_know() -> None:
    (record,) = outputs(webhook(FULL))

    name, fields = CODEC.reader()(record.value or b"")

    assert name == "CXoneInteraction"
    assert fields == {
        "interactionId": "i-1",
        "channel": "voice",
        "timestamp": NOW - 5,
        "customerEmail": "a@b.example",
        "agentId": "17",
    }


@pytest.mark.parametrize(
    "content",
    [{"id": "i-1"}, {"id": "i-1", "channel": None, "customer": "nobody", "agent": {}}, {"id": "i-1", "channel": ""}],
)
def test_what_is_not_there_is_unknown_or_none(content: object) -> None:
    (record,) = outputs(webhook(content))

    assert interaction(record) == CXoneInteraction("i-1", "unknown", NOW - 5, None, None)


@pytest.mark.parametrize("written", ["42", "123456789012345678901234567890", "1.50", "18446744073709551615"])
def test_an_id_is_the_one_that_the_door_took_as_key(written: str) -> None:
    (record,) = outputs(webhook(b'{"id":' + written.encode() + b"}"))

    assert interaction(record).interaction_id == written
    assert record.key == written.encode()


def test_a_changed_dashboard_is_told_of_under_its_id() -> None:
    content = {"dashboardId": "d-9", "eventType": "dashboard.updated", "actor": {"id": "u-1"}, "etag": '"7"'}

    (record,) = outputs(webhook(content, path=DASHBOARD_PATH))

    assert (record.topic, record.key) == (DASHBOARD_CHANGES.name, b"d-9")
    change = CODEC.decoder(DashboardChange)(record.value or b"")
    assert change == DashboardChange("d-9", "dashboard.updated", "u-1", '"7"', NOW - 5)


def test_a_delivery_that_is_sent_again_is_dropped_whatever_its_bytes() -> None:
    first, again = webhook(FULL, delivery="d-1"), webhook({**FULL, "attempt": 2}, delivery="d-1")

    assert len(outputs(first, again)) == 1


def test_without_a_delivery_id_path_and_bytes_tell_a_repeat() -> None:
    assert len(outputs(webhook(FULL), webhook(FULL))) == 1
    assert len(outputs(webhook(FULL), webhook({**FULL, "channel": "chat"}))) == 2
    both = {"id": "1", "dashboardId": "1"}
    assert len(outputs(webhook(both), webhook(both, path=DASHBOARD_PATH))) == 2


def test_a_second_action_on_an_interaction_is_no_repeat() -> None:
    assert len(outputs(webhook(FULL, delivery="d-1"), webhook(FULL, delivery="d-2"))) == 2


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (webhook(b"no json"), "not JSON"),
        (webhook(b"[]"), "not JSON"),
        (webhook({}), "id"),
        (webhook({"id": ""}), "id"),
        (webhook({"id": "\0"}), "id"),
        (webhook({"id": True}), "id"),
        (webhook({"id": "1", "channel": ["voice"]}), "field"),
        (webhook({"id": "1", "channel": "x" * 257}), "field"),
        (webhook({"id": "1", "customer": {"email": "x" * 321}}), "field"),
        (webhook({"id": "1", "agent": {"id": True}}), "field"),
        (webhook({"id": "1"}, path=DASHBOARD_PATH), "id"),
        (webhook({"id": "1"}, path="/webhook/else"), "path"),
        (Consumed(0, b'{"id":"1"}', timestamp=NOW), "path"),
        (Consumed(0, None, timestamp=NOW), "not JSON"),
    ],
)
def test_what_cannot_be_typed_is_a_dead_letter_with_its_bytes(record: Consumed, reason: str) -> None:
    (letter,) = outputs(record)

    assert letter.topic == DEAD_LETTERS.name
    assert letter.value == record.value
    assert dict(letter.headers)[DEAD_REASON] == reason.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "email"]), inner, max_size=2),
    max_leaves=5,
)


@given(
    content=st.dictionaries(
        st.sampled_from(["id", "channel", "customer", "agent", "dashboardId", "actor", "etag"]), JSON
    ),
    path=st.sampled_from([DATA_ACTION_PATH, DASHBOARD_PATH, "\udcff"]),
)
@settings(max_examples=300)
def test_every_body_is_a_record_or_a_dead_letter(content: dict[str, object], path: str) -> None:
    body = json.dumps(content).encode()
    headers: Headers = ((WEBHOOK_PATH, path.encode("utf-8", "surrogateescape")),)

    (record,) = outputs(Consumed(0, body, headers=headers, timestamp=NOW))

    if record.topic == DEAD_LETTERS.name:
        assert record.value == body
    else:
        assert CODEC.reader()(record.value or b"")[1]
