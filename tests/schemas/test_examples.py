"""Every sample under schemas/examples is what its topic says."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastavro.validation import validate

import schemas
from connectors.cxone.dialect import load
from schemas.avro import Codec
from schemas.frame_fields import Kind
from schemas.records import (
    AnalyticsEvent,
    AnalyticsMetrics,
    CampaignHour,
    GuestMessage,
    GuestThrottled,
    InteractionCompleted,
    Summary,
)
from schemas.releases import FileSchemaIds, releases, subject_of
from schemas.topics import TOPICS
from streams.core.contract import Refused
from streams.stages.analytics import event as analytics
from streams.stages.messages.message import guest_message
from streams.stages.normalise.event import interpreter

EXAMPLES = Path(schemas.__file__).with_name("examples")
ARRIVED = 1_768_471_201_000  # a second after the samples
FIELDS = load("v2").interactions.fields.interaction()
MESSAGE_FIELDS = load("v2").messaging.fields.message()
ANALYTICS_FIELDS = load("v2").analytics.fields.analytics()


def _samples(topic: str) -> list[Any]:
    paths = sorted((EXAMPLES / topic).glob("*.json"))
    assert paths, f"no samples of {topic}"
    return [pytest.param(path, id=path.stem) for path in paths]


def test_samples_belong_to_declared_topics() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} <= {spec.name for spec in TOPICS}


@pytest.mark.parametrize("path", _samples("cxone.raw.interactions"))
def test_a_raw_frame_is_what_its_name_says(path: Path) -> None:
    frame = json.loads(path.read_bytes())
    outcome = path.stem.split("-")[0]

    kind = FIELDS.kind(frame)

    assert (kind is Kind.CONTROL) == (outcome == "control")
    if kind is Kind.EVENT:
        event = interpreter(FIELDS, clock_skew=0)(frame, ARRIVED)
        assert isinstance(event, {"completed": InteractionCompleted, "refused": Refused}[outcome])


@pytest.mark.parametrize("path", _samples("cxone.raw.messages"))
def test_a_raw_message_is_what_its_name_says(path: Path) -> None:
    frame = json.loads(path.read_bytes())
    outcome = path.stem.split("-")[0]

    kind = MESSAGE_FIELDS.kind(frame)

    assert kind is {"control": Kind.CONTROL, "other": Kind.OTHER}.get(outcome, Kind.EVENT)
    if kind is Kind.EVENT:
        message = guest_message(frame, ARRIVED, fields=MESSAGE_FIELDS)
        assert isinstance(message, {"message": GuestMessage, "refused": Refused}[outcome])


@pytest.mark.parametrize("path", _samples("cxone.raw.analytics"))
def test_a_raw_analytics_frame_is_what_its_name_says(path: Path) -> None:
    data = path.read_bytes()
    frame = json.loads(data)
    outcome = path.stem.split("-")[0]

    kind = ANALYTICS_FIELDS.kind(frame)

    assert kind is {"control": Kind.CONTROL, "other": Kind.OTHER}.get(outcome, Kind.EVENT)
    if kind is Kind.EVENT:
        event = analytics.interpreter(ANALYTICS_FIELDS, clock_skew=0)(frame, data, ARRIVED)
        assert isinstance(event, {"event": AnalyticsEvent, "refused": Refused}[outcome])


@pytest.mark.parametrize("path", _samples("cxone.analytics.events"))
def test_an_analytics_event_travels_as_avro(path: Path) -> None:
    values = json.loads(path.read_bytes())

    _travels(AnalyticsEvent(**{**values, "metrics": AnalyticsMetrics(**values["metrics"])}), values)


@pytest.mark.parametrize("path", _samples("cxone.interactions.completed"))
def test_an_interaction_travels_as_avro(path: Path) -> None:
    values = json.loads(path.read_bytes())

    _travels(InteractionCompleted(**values), values)


@pytest.mark.parametrize("path", _samples("cxone.campaign.hourly"))
def test_an_hour_travels_as_avro(path: Path) -> None:
    values = json.loads(path.read_bytes())
    hour = CampaignHour(**{**values, "handle": Summary(**values["handle"]), "wait": Summary(**values["wait"])})

    _travels(hour, values)


@pytest.mark.parametrize("path", _samples("cxone.guest.messages") + _samples("cxone.guest.admitted"))
def test_a_message_travels_as_avro(path: Path) -> None:
    values = json.loads(path.read_bytes())

    _travels(GuestMessage(**values), values)


@pytest.mark.parametrize("path", _samples("cxone.guest.throttled"))
def test_a_throttled_message_travels_as_avro(path: Path) -> None:
    values = json.loads(path.read_bytes())

    _travels(GuestThrottled(**values), values)


def _travels(record: object, values: dict[str, Any]) -> None:
    codec, schema = Codec(FileSchemaIds()), releases()[subject_of(type(record))][-1].schema

    assert validate(values, schema, strict=True)
    assert codec.decoder(type(record))(codec.encoder(type(record))(record)) == record
