"""Paths into frames: the first hit wins, and a frame's kind decides its way."""

import pytest

from schemas.frame_fields import InteractionFields, Kind, first, identity

FIELDS = InteractionFields(
    event_type=(("eventType",), ("type",)),
    completed_types=("interaction.completed",),
    control_types=("heartbeat",),
    control=(("subscription",),),
    event_id=(("eventId",), ("payload", "interactionId")),
    interaction_id=(("payload", "interactionId"),),
    campaign_id=(("payload", "campaignId"),),
    handle_time=(("payload", "handleTime"),),
    wait_time=(("payload", "waitTime"),),
    completed_at=(("timestamp",),),
)
PATHS = (("a",), ("b", "c"))


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        ({"a": 1, "b": {"c": 2}}, 1),
        ({"a": None, "b": {"c": 2}}, 2),
        ({"a": 0, "b": {"c": 2}}, 0),
        ({"a": "", "b": {"c": 2}}, ""),
        ({"b": {"c": None}}, None),
        ({"b": "text"}, None),
        ({"b": [{"c": 2}]}, None),
        ({}, None),
    ],
)
def test_the_first_value_that_is_there_wins(frame: dict[str, object], value: object) -> None:
    assert first(frame, PATHS) == value


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        ({"a": "x", "b": {"c": "y"}}, "x"),
        ({"a": "", "b": {"c": "y"}}, "y"),
        ({"a": "x" * 256}, "x" * 256),
        ({"a": "x" * 257, "b": {"c": "y"}}, "y"),
        ({"a": 12, "b": {"c": "y"}}, "12"),
        ({"a": True, "b": {"c": "y"}}, "y"),
        ({"a": 1.5}, None),
        ({"a": ["x"]}, None),
        ({}, None),
    ],
)
def test_an_id_is_text_or_a_whole_number(frame: dict[str, object], value: str | None) -> None:
    assert identity(frame, PATHS) == value


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ({"type": "interaction.completed"}, Kind.EVENT),
        ({"eventType": "interaction.completed", "subscription": []}, Kind.EVENT),
        ({"type": "heartbeat"}, Kind.CONTROL),
        ({"type": "confirmed", "subscription": ["interaction.completed"]}, Kind.CONTROL),
        ({"subscription": ["interaction.completed"]}, Kind.CONTROL),
        ({"type": "interaction.started"}, Kind.OTHER),
        ({"type": ["interaction.completed"]}, Kind.OTHER),
        ({"payload": {}}, Kind.EVENT),
        ({}, Kind.EVENT),
    ],
)
def test_control_frames_are_told_from_events(frame: dict[str, object], kind: Kind) -> None:
    assert FIELDS.kind(frame) is kind
