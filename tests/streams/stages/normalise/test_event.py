"""What frames say, and what counts as said."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.frame_fields import DurationForm
from schemas.records import LONGEST_CAMPAIGN, InteractionCompleted
from streams.core.contract import Refused
from streams.stages.normalise.event import interpreter
from streams.stages.normalise.usual import usual

ARRIVED = 1_795_250_400_000  # ms
FIELDS = dialect.load("v2").interactions.fields.interaction()
interpret = interpreter(FIELDS, clock_skew=600_000)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


def frame(**fields: object) -> dict[str, object]:
    payload = {"campaignId": "sales", "handleTime": 1, "waitTime": 2} | fields
    return {"eventId": "e", "timestamp": ARRIVED, "payload": payload}


def test_whole_numbers_are_campaign_ids() -> None:
    found = interpret(frame(campaignId=42), ARRIVED)

    assert isinstance(found, InteractionCompleted)
    assert found.campaign_id == "42"


def test_the_longest_campaign_id_is_taken() -> None:
    assert isinstance(interpret(frame(campaignId="é" * LONGEST_CAMPAIGN), ARRIVED), InteractionCompleted)


def test_the_completion_time_stands_in_for_a_missing_timestamp() -> None:
    event = frame(completionTime="2026-11-21T10:00:00.500+01:00")
    del event["timestamp"]

    found = interpret(event, 1_795_251_600_500)

    assert isinstance(found, InteractionCompleted)
    assert found.completed_at == 1_795_251_600_500


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (frame() | {"eventId": 7}, "7"),
        (frame(interactionId="i") | {"eventId": ""}, "i"),
        (frame(interactionId="i") | {"eventId": "e" * 257}, "i"),
        (frame(contactId="c") | {"eventId": None}, "c"),
        (frame() | {"eventId": True}, None),
    ],
)
def test_the_first_usable_id_is_the_events(event: dict[str, object], expected: str | None) -> None:
    found = interpret(event, ARRIVED)

    assert isinstance(found, InteractionCompleted)
    assert found.event_id == expected


@pytest.mark.parametrize("ahead", [0, 600_000])
def test_a_clock_may_be_ahead_of_the_arrival_by_the_allowed_skew(ahead: int) -> None:
    assert isinstance(interpret(frame() | {"timestamp": ARRIVED + ahead}, ARRIVED), InteractionCompleted)


@pytest.mark.parametrize("year", [1e9, 1e300, 1.7e308])
def test_a_duration_of_more_than_a_year_is_refused(year: float) -> None:
    assert isinstance(interpret(frame(handleTime=year), ARRIVED), Refused)
    assert isinstance(interpret(frame(waitTime=year), ARRIVED), Refused)


@pytest.mark.parametrize(
    ("form", "handle", "wait"),
    [(DurationForm.TEXT, "277", "0.5"), (DurationForm.ISO8601, "PT4M37S", "PT0.5S"), (DurationForm.SECONDS, 277, 0.5)],
)
def test_durations_are_read_in_the_form_that_the_dialect_says(form: DurationForm, handle: object, wait: object) -> None:
    fields = replace(FIELDS, durations=form)
    event = frame(handleTime=handle, waitTime=wait) | {"type": "interaction.completed", "timestamp": "2026-11-21"}

    found = interpreter(fields, clock_skew=10**9)(event, ARRIVED)

    assert isinstance(found, InteractionCompleted)
    assert (found.handle_time, found.wait_time) == (277.0, 0.5)
    assert usual(fields, clock_skew=10**9)(orjson.dumps(event), ARRIVED) in {found, None}


def test_a_duration_in_another_form_is_refused_and_the_form_is_named() -> None:
    found = interpret(frame(handleTime="277"), ARRIVED)

    assert found == Refused("duration", "the handle time must be a number of seconds from 0 to a year")


@given(st.dictionaries(st.sampled_from(["eventId", "timestamp", "payload", "x"]), JSON), st.integers(0, 2**41))
def test_any_object_is_an_interaction_or_refused(event: dict[str, object], arrived: int) -> None:
    assert isinstance(interpret(event, arrived), InteractionCompleted | Refused)


@given(st.dictionaries(st.sampled_from(["campaignId", "handleTime", "waitTime", "interactionId"]), JSON))
def test_any_payload_is_an_interaction_or_refused(payload: dict[str, object]) -> None:
    assert isinstance(interpret(frame(**payload), ARRIVED), InteractionCompleted | Refused)
