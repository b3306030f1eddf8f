"""What a frame of the analytics socket says, and why another says nothing."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone.dialect import load
from schemas.avro import Codec
from schemas.records import INTERACTION, AnalyticsEvent, AnalyticsMetrics
from schemas.releases import FileSchemaIds
from streams.core.contract import Refused
from streams.stages.analytics.event import interpreter

FIELDS = load("v2").analytics.fields.analytics()
INTERPRET = interpreter(FIELDS, clock_skew=1000)
NOW = 1_795_250_400_000  # ms
FRAME: dict[str, Any] = {
    "eventId": "e-1",
    "eventType": "interaction",
    "timestamp": NOW,
    "interactionId": "i-1",
    "agentId": "a-1",
    "queueId": "q-1",
    "metrics": {"handleTime": 60, "waitTime": 1.5, "queueTime": 0, "state": "active"},
    "metadata": {"source": "simulator", "n": 1, "list": [1, "x"], "nothing": None},
}
CODEC = Codec(FileSchemaIds())


def interpret(**changes: object) -> AnalyticsEvent | Refused:
    frame = FRAME | changes
    return INTERPRET(frame, orjson.dumps(frame), NOW)


def test_a_frame_says_all_of_it() -> None:
    assert interpret() == AnalyticsEvent(
        "e-1",
        "interaction",
        NOW,
        "i-1",
        "a-1",
        "q-1",
        AnalyticsMetrics(60, 1.5, 0, "active"),
        {"source": "simulator", "n": "1", "list": '[1,"x"]', "nothing": "null"},
    )


def test_what_tells_of_an_interaction_is_called_one_whatever_cxone_calls_it() -> None:
    fields = replace(FIELDS, event_types=("contact", "agent"), interaction_types=("contact",))
    read = interpreter(fields, clock_skew=1000)

    contact, agent = (read(FRAME | {"eventType": name}, b"bytes", NOW) for name in ("contact", "agent"))

    assert isinstance(contact, AnalyticsEvent)
    assert isinstance(agent, AnalyticsEvent)
    assert (contact.event_type, agent.event_type) == (INTERACTION, "agent")


def test_what_a_frame_leaves_out_is_none() -> None:
    bare: dict[str, object] = {"eventType": "agent", "timestamp": "2026-11-20T10:00:00Z"}

    event = INTERPRET(bare, b"bytes", NOW)

    assert isinstance(event, AnalyticsEvent)
    assert (event.interaction_id, event.agent_id, event.queue_id, event.metadata) == (None, None, None, {})
    assert event.metrics == AnalyticsMetrics(None, None, None, None)
    assert event.key == event.event_id


def test_an_event_without_an_id_is_told_by_its_bytes() -> None:
    frame = {key: value for key, value in FRAME.items() if key != "eventId"}

    one, same, other = (INTERPRET(frame, data, NOW) for data in (b"{1}", b"{1}", b"{2}"))

    assert isinstance(one, AnalyticsEvent)
    assert isinstance(other, AnalyticsEvent)
    assert one == same
    assert one.event_id != other.event_id
    assert one.event_id.startswith("frame-")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eventType": None}, "event type"),
        ({"interactionId": None}, "interaction id"),
        ({"interactionId": ""}, "interaction id"),
        ({"interactionId": "x" * 257}, "interaction id"),
        ({"interactionId": {"id": 1}}, "interaction id"),
        ({"timestamp": None}, "event time"),
        ({"timestamp": "yesterday"}, "event time"),
        ({"timestamp": True}, "event time"),
        ({"timestamp": NOW + 1001}, "event time"),
        ({"timestamp": 915_148_800_000}, "event time"),
        ({"metrics": {"handleTime": -1}}, "duration"),
        ({"metrics": {"waitTime": "12"}}, "duration"),
        ({"metrics": {"queueTime": True}}, "duration"),
        ({"metrics": {"handleTime": 367 * 86_400}}, "duration"),
        ({"metrics": {"state": 1}}, "state"),
        ({"metrics": {"state": "x" * 65}}, "state"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {str(n): n for n in range(101)}}, "metadata"),
        ({"metadata": {"x": "y" * 65_536}}, "metadata"),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(changes: dict[str, object], reason: str) -> None:
    found = interpret(**changes)

    assert isinstance(found, Refused)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "a-1"),
        ({"agentId": None}, "i-1"),
        ({"agentId": 7}, "7"),
        ({"eventType": "queue", "agentId": None, "interactionId": None}, "q-1"),
    ],
)
def test_an_event_is_keyed_by_whom_it_tells_of(changes: dict[str, object], key: str) -> None:
    event = interpret(**changes)

    assert isinstance(event, AnalyticsEvent)
    assert event.key == FIELDS.key(FRAME | changes) == key


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FRAME, _JSON)))
def test_any_values_in_any_place_are_refused_or_travel(changes: dict[str, Any]) -> None:
    data = orjson.dumps(FRAME | changes)

    event = INTERPRET(orjson.loads(data), data, NOW)

    if isinstance(event, AnalyticsEvent):
        assert CODEC.decoder(AnalyticsEvent)(CODEC.encoder(AnalyticsEvent)(event)) == event
