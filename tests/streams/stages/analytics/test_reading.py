"""Raw frames of the analytics socket through the stage `analytics`."""

from random import Random

import orjson
import pytest

from connectors.cxone.dialect import load
from connectors.simulator.analytics.frames import MALFORMED
from connectors.simulator.analytics.traffic import Plan, deliveries
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import EVENT_ID, LOG_TIME, SOURCE_POSITION, Consumed, Outgoing
from schemas.records import AnalyticsEvent
from schemas.releases import FileSchemaIds
from schemas.topics import ANALYTICS_EVENTS, DEAD_LETTERS
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import Frames
from streams.stages.analytics.reading import analytics

FIELDS = load("v2").analytics.fields.analytics()
CODEC = Codec(FileSchemaIds())
READING = analytics(FIELDS, clock_skew=600_000, encode=CODEC.encoder(AnalyticsEvent))
DECODE = CODEC.decoder(AnalyticsEvent)
START = 1_795_250_400.0
NOW = int(START * 1000) + 3_600_000


def frame(event_id: str | None = "e-1", **changes: object) -> bytes:
    named = {} if event_id is None else {"eventId": event_id}
    return orjson.dumps(
        {**named, "eventType": "interaction", "timestamp": NOW, "interactionId": "i-1", "agentId": "a-1", **changes}
    )


def fold(*contents: bytes) -> tuple[int, list[Outgoing]]:
    stage = Frames(3, {}, horizon=900_000, reading=READING)
    records = [Consumed(i, content, b"a-1", (), NOW + 9) for i, content in enumerate(contents)]
    return stage.fold(Chunk("cxone.raw.analytics", 3, records)), stage.flush(0.0, seal=False).outputs


def test_an_event_goes_on_under_its_agent() -> None:
    refused, (output,) = fold(frame())

    assert refused == 0
    assert (output.topic, output.key) == (ANALYTICS_EVENTS.name, b"a-1")
    assert output.headers == ((SOURCE_POSITION, b"3:0"), (LOG_TIME, b"%d" % NOW), (EVENT_ID, b"e-1"))
    assert DECODE(output.value or b"").interaction_id == "i-1"


def test_five_events_of_one_interaction_are_five_and_the_same_frame_again_is_none() -> None:
    five = [frame(None, metrics={"handleTime": n}) for n in range(3)] + [frame("e-1"), frame("e-2")]

    refused, outputs = fold(*five, *five)

    assert refused == 0
    assert len({DECODE(output.value or b"").event_id for output in outputs}) == len(outputs) == 5


def test_control_frames_and_other_events_go_nowhere() -> None:
    assert fold(b'{"type":"subscribed"}', b'{"type":"error","code":"x"}', frame(eventType="typing")) == (0, [])


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", frame(interactionId=None)])
def test_what_cannot_be_read_is_a_dead_letter_with_its_bytes(data: bytes) -> None:
    refused, (output,) = fold(data)

    assert refused == 1
    assert (output.topic, output.value) == (DEAD_LETTERS.name, data)
    assert DEAD_REASON in dict(output.headers)


def test_all_that_the_simulator_sends_is_told_apart() -> None:
    sent = list(deliveries(Plan(number=3000, malformed=0.1, redelivered=0.3), START))
    shuffled = sent.copy()
    Random(1).shuffle(shuffled)

    refused, outputs = fold(*(each.body for each in shuffled))

    malformed = [each for each in sent if each.malformed]
    events = [DECODE(output.value or b"") for output in outputs if output.topic == ANALYTICS_EVENTS.name]
    truth = {each.event.number: each.event for each in sent if each.event}
    assert {each.malformed for each in malformed} == set(MALFORMED)
    assert refused == len(malformed)
    assert len(events) == len(truth)
    for event in events:
        told = truth[int(event.metadata["sequence"])]
        assert (event.timestamp, event.queue_id) == (told.at, told.queue_id)
        assert event.metrics.handle_time == told.handle_time
        assert told.event_id in {None, event.event_id}
