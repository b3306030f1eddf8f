"""What the quick way accepts, the thorough way accepts with the same result; the usual frame takes the quick way."""

import json
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import event, given
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.frame_fields import Kind
from streams.stages.normalise.event import interpreter
from streams.stages.normalise.usual import usual

FIELDS = dialect.load("v2").interactions.fields.interaction()
ARRIVED, SKEW = 1_795_255_200_000, 600_000
quick, thorough = usual(FIELDS, clock_skew=SKEW), interpreter(FIELDS, clock_skew=SKEW)

FRAME: dict[str, Any] = {
    "eventId": "e-1",
    "type": "interaction.completed",
    "timestamp": "2026-11-21T09:12:13.123Z",
    "payload": {"campaignId": "sales", "handleTime": 312, "waitTime": 1.5, "agentId": "a"},
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
times = st.sampled_from(
    [
        "2026-11-21T09:12:13Z",
        "2026-11-21",
        "2026-11-21T09:12:13.999999+05:30",
        "1999-12-31T23:59:59Z",
        "2027-01-01",
        "x",
    ]
)
values = {
    "type": st.sampled_from(["interaction.completed", "heartbeat", "other", None]) | anything,
    "eventType": st.sampled_from(["interaction.completed", "heartbeat"]),
    "eventId": st.text(max_size=300) | anything,
    "timestamp": times | anything,
    "subscription": anything,
    "payload": st.fixed_dictionaries(
        {},
        optional={
            "campaignId": st.text(max_size=300) | anything,
            "handleTime": st.floats() | st.integers() | anything,
            "waitTime": st.floats(0, 1e9) | anything,
            "interactionId": anything,
            "completionTime": times,
        },
    )
    | anything,
}


@given(st.fixed_dictionaries({}, optional=values), st.booleans())
def test_what_is_accepted_quickly_is_accepted_thoroughly_and_alike(frame: dict[str, Any], filled: bool) -> None:
    if filled:
        payload = frame.get("payload")
        frame = FRAME | frame | {"payload": FRAME["payload"] | (payload if isinstance(payload, dict) else {})}
    value = json.dumps(frame).encode("utf-8", "surrogatepass")

    accepted = quick(value, ARRIVED)

    event("accepted" if accepted else "left to the thorough way")
    if accepted is not None:
        decoded = orjson.loads(value)
        assert FIELDS.kind(decoded) is Kind.EVENT
        assert thorough(decoded, ARRIVED) == accepted


def test_the_usual_frame_takes_the_quick_way() -> None:
    accepted = quick(orjson.dumps(FRAME), ARRIVED)

    assert accepted is not None
    assert accepted == thorough(FRAME, ARRIVED)


def test_keys_that_are_no_names_lead_to_their_fields() -> None:
    fields = replace(FIELDS, campaign_id=(("payload", "campaign id"),), completed_at=(("1",),))
    frame = FRAME | {"1": FRAME["timestamp"], "payload": {"campaign id": "é", "handleTime": 1, "waitTime": 2}}

    accepted = usual(fields, clock_skew=SKEW)(orjson.dumps(frame), ARRIVED)

    assert accepted is not None
    assert accepted.campaign_id == "é"


def test_bytes_that_are_no_frame_are_left_to_the_thorough_way() -> None:
    for value in (b"", b"{", b"[]", b"null", b"\xff", b"{" * 100_000, b'{"type":"interaction.completed"}'):
        assert quick(value, ARRIVED) is None


def test_two_fields_may_be_at_one_path() -> None:
    fields = replace(FIELDS, wait_time=FIELDS.handle_time, event_id=FIELDS.campaign_id, completed_at=FIELDS.event_type)

    assert usual(fields, clock_skew=SKEW)(orjson.dumps(FRAME), ARRIVED) is None
    fields = replace(fields, completed_at=FIELDS.completed_at)
    accepted = usual(fields, clock_skew=SKEW)(orjson.dumps(FRAME), ARRIVED)

    assert accepted is not None
    assert accepted == interpreter(fields, clock_skew=SKEW)(FRAME, ARRIVED)
