"""Raw frames in, completed interactions and dead letters out."""

from dataclasses import replace

import orjson
import pytest
from prometheus_client import REGISTRY

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Consumed
from schemas.json_limits import NOT_JSON, TOO_DEEP, TOO_LONG
from schemas.records import InteractionCompleted
from schemas.topics import DEAD_LETTERS, INTERACTIONS_COMPLETED
from streams.core.raw_frames.frames import Frames
from streams.stages.normalise.event import BAD_DURATION, BAD_TIME, NO_CAMPAIGN
from tests.streams.core.raw_frames.raw_frames import (
    CODEC,
    HORIZON,
    NOW,
    PAYLOAD,
    READING,
    RECEIVED,
    SLICE,
    completed,
    fold,
    frames,
    frames_counted,
    outputs,
    raw,
)


def test_an_event_goes_out_under_its_campaign_with_its_source_position_and_id() -> None:
    (output,) = outputs(raw(9, completed()))

    assert output.topic == INTERACTIONS_COMPLETED.name
    assert output.key == b"sales"
    assert output.partition is None
    assert output.headers == ((SOURCE_POSITION, b"4:9"), (LOG_TIME, b"%d" % NOW), (EVENT_ID, b"e-1"))
    assert output.value is not None
    found = CODEC.decoder(InteractionCompleted)(output.value)
    assert found == InteractionCompleted("e-1", "sales", 312.0, 12.5, NOW)


def test_an_event_id_that_the_record_holds_needs_no_header() -> None:
    stage = Frames(4, {}, horizon=HORIZON, reading=replace(READING, id_in_header=False))
    fold(stage, raw(9, completed()))

    (output,) = stage.flush(0.0, seal=False).outputs
    assert output.headers == ((SOURCE_POSITION, b"4:9"), (LOG_TIME, b"%d" % NOW))


def test_a_redelivery_within_the_horizon_is_dropped_and_counted() -> None:
    before = frames_counted("redelivered")

    found = outputs(raw(1, completed("a")), raw(2, completed("b")), raw(3, completed("a"), at=NOW + 3 * SLICE))

    assert [dict(output.headers)[SOURCE_POSITION] for output in found] == [b"4:1", b"4:2"]
    assert frames_counted("redelivered") == before + 1


def test_an_id_is_forgotten_a_slice_after_the_horizon() -> None:
    found = outputs(raw(1, completed("a")), raw(2, completed("a"), at=NOW + 5 * SLICE))

    assert len(found) == 2


def test_events_without_an_id_are_never_taken_for_each_other_and_are_counted() -> None:
    before = REGISTRY.get_sample_value("cxone_normalise_events_without_id_total") or 0.0

    found = outputs(raw(1, completed(None)), raw(2, completed(None)))

    came = (LOG_TIME, b"%d" % NOW)
    assert [output.headers for output in found] == [
        ((SOURCE_POSITION, b"4:1"), came),
        ((SOURCE_POSITION, b"4:2"), came),
    ]
    assert REGISTRY.get_sample_value("cxone_normalise_events_without_id_total") == before + 2


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        ({"type": "subscription.confirmed"}, "control"),
        ({"subscription": ["interaction.completed"], "status": "ok"}, "control"),
        ({"type": "heartbeat"}, "control"),
        ({"eventType": "agent.state.changed", "payload": PAYLOAD}, "other"),
        ({"eventType": ["a"], "payload": PAYLOAD}, "other"),
    ],
)
def test_frames_that_are_no_completed_interaction_are_counted_and_let_go(content: object, outcome: str) -> None:
    before = frames_counted(outcome)

    assert outputs(raw(1, content)) == []

    assert frames_counted(outcome) == before + 1


REFUSALS: dict[str, list[object]] = {
    NOT_JSON: [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b"7",
        b'"text"',
        b'{"payload":NaN}',
        b'{"eventId":"\\ud800"}',
        b'{"payload":{"campaignId":"\xed\xa0\x80"}}',
    ],
    TOO_DEEP: [
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'{"payload":' * 65 + b"1" + b"}" * 65,
    ],
    TOO_LONG: [
        completed(campaignId="c" * 100_001),
        completed(skills=["a"] * 10_001) | {"timestamp": "soon"},
        b'{"payload":{"handleTime":' + b"9" * 5000 + b"}}",
    ],
    NO_CAMPAIGN: [
        {},
        {"payload": None},
        {"payload": []},
        completed(campaignId=None),
        completed(campaignId=""),
        completed(campaignId="c" * 257),
        completed(campaignId=True),
        completed(campaignId=1.5),
        completed(campaignId=["sales"]),
    ],
    BAD_DURATION: [
        completed(handleTime=None),
        completed(handleTime=-0.001),
        completed(handleTime="312"),
        completed(handleTime=True),
        completed(waitTime=-1),
        completed(waitTime=False),
        completed(waitTime={}),
        orjson.dumps(completed(handleTime=0)).replace(b'"handleTime":0', b'"handleTime":1' + b"0" * 308),
    ],
    BAD_TIME: [
        completed() | {"timestamp": None},
        completed() | {"timestamp": "yesterday"},
        completed() | {"timestamp": "2026-02-30T00:00:00Z"},
        completed() | {"timestamp": True},
        completed() | {"timestamp": NOW + 600_001},
        completed() | {"timestamp": "1999-12-31T23:59:59.999Z"},
        completed() | {"timestamp": "0001-01-01T00:00:00+23:59"},
        completed() | {"timestamp": -NOW},
        completed() | {"timestamp": 1e300},
    ],
}


@pytest.mark.parametrize(("reason", "content"), [(reason, each) for reason, all_ in REFUSALS.items() for each in all_])
def test_a_refused_frame_is_a_dead_letter_with_its_bytes_key_headers_and_the_reason(
    reason: str, content: object
) -> None:
    record = raw(9, content)
    stage = frames()

    assert fold(stage, record) == 1

    (letter,) = stage.flush(0.0, seal=False).outputs
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == (DEAD_LETTERS.name, record.key, record.value)
    assert letter.headers[: len(RECEIVED)] == RECEIVED
    assert headers[DEAD_REASON] == reason.encode()
    assert headers[DEAD_STAGE] == b"normalise"
    assert headers[DEAD_SOURCE] == b"cxone.raw.interactions:4:9"
    assert 0 < len(headers[DEAD_DETAIL]) < 400


def test_a_tombstone_is_refused_and_stays_one() -> None:
    stage = frames()

    assert fold(stage, Consumed(1, None)) == 1

    assert stage.flush(0.0, seal=False).outputs[0].value is None


def test_a_frame_with_an_integer_that_nothing_can_hold_is_refused_and_no_crash() -> None:
    huge = b'{"payload":{"campaignId":"sales","handleTime":' + b"9" * 5000 + b',"waitTime":1}}'

    assert fold(frames(), raw(1, huge)) == 1


def test_a_refused_frame_does_not_use_up_its_event_id() -> None:
    found = outputs(raw(1, completed("a", handleTime=-1)), raw(2, completed("a")))

    assert [output.topic for output in found] == [DEAD_LETTERS.name, INTERACTIONS_COMPLETED.name]


def test_frames_that_were_folded_already_are_skipped() -> None:
    stage = frames()
    fold(stage, raw(1, completed("a")), raw(2, b"{"))
    stage.flush(0.0, seal=False)

    assert fold(stage, raw(1, completed("a")), raw(2, b"{"), raw(3, completed("b"))) == 0

    assert [dict(output.headers)[EVENT_ID] for output in stage.flush(0.0, seal=False).outputs] == [b"b"]


def test_a_frame_that_is_replayed_for_a_stage_is_no_redelivery_and_keeps_the_mark() -> None:
    mark = (REPLAY_FOR, b"percentiles")
    again = raw(2, completed("a"))

    first, second = outputs(raw(1, completed("a")), replace(again, headers=(mark, *again.headers)))

    assert first.headers[0] == (SOURCE_POSITION, b"4:1")
    assert second.headers[:2] == (mark, (SOURCE_POSITION, b"4:2"))
    assert second.value == first.value


def test_a_frame_that_is_replayed_for_the_stage_itself_was_never_passed_on_and_goes_the_way_of_any() -> None:
    mark = (REPLAY_FOR, b"normalise")
    marked = [replace(raw(at, completed("a")), headers=(mark,)) for at in (1, 2)]

    (only,) = outputs(*marked)

    assert only.headers[0] == (SOURCE_POSITION, b"4:1"), "who reads it next shall take it, too"
