"""What a model is asked, and what its answers mean."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro import Codec
from schemas.envelope import EVENT_ID, SOURCE_POSITION, Consumed
from schemas.records import CXoneInteraction, InteractionScore
from schemas.releases import FileSchemaIds
from schemas.topics import ML_SCORES
from streams.core.calls.job import Done, Failed, Job, Outcome
from streams.core.contract import Refused
from streams.stages.scoring.score import NO_SCORE, REFUSED, Asked, Scale, outcome, request

INTERACTION = CXoneInteraction("i-1", "voice", 1_700_000_000_000, "guest@acme.test", None)
CODEC = Codec(FileSchemaIds())
HEADERS = ((SOURCE_POSITION, b"3:17"), (EVENT_ID, b"e-1"), ("other", b"x"))
SCALE = Scale(score=(("score",), ("result", "score")), model=(("model",),), lowest=0, highest=1)
NOW = 1_700_000_001_000


def answered(status: int, body: object) -> Outcome:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    job = Job("3-17", (3, 17), INTERACTION, Consumed(5, b"", b"i-1", HEADERS), "asked", 5)
    asked = Asked(status, data, data[:100].decode(errors="replace"), latency=12, at=NOW)
    return outcome(asked, job, scale=SCALE, encode=CODEC.encoder(InteractionScore))


def test_id_and_time_are_asked_with_the_fields_that_the_dialect_names() -> None:
    fields = {"channel": (("channel",),), "email": (("nothing",), ("customerEmail",)), "agent": (("agentId",),)}

    assert orjson.loads(request(INTERACTION, {})) == {"interactionId": "i-1", "timestamp": 1_700_000_000_000}
    assert orjson.loads(request(INTERACTION, fields)) == {
        "interactionId": "i-1",
        "timestamp": 1_700_000_000_000,
        "channel": "voice",
        "email": "guest@acme.test",
        "agent": None,
    }


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("sales", "sales"),
        (7, 7),
        (0.5, 0.5),
        (True, True),
        (1 << 64, None),
        (math.nan, None),
        ({"a": 1}, None),
        (["a"], None),
        ("\ud800", "?"),
        ("q" * 300, "q" * 256),
    ],
)
def test_what_cxone_tells_is_asked_with_too_if_it_is_plain(told: object, asked: object) -> None:
    details = {"queue": (("metrics", "queue"),), "timestamp": (("metrics", "queue"),), "channel": (("other",),)}

    body = orjson.loads(request(INTERACTION, {"channel": (("channel",),)}, {"metrics": {"queue": told}}, details))

    assert body["queue"] == asked
    assert (body["timestamp"], body["channel"]) == (INTERACTION.timestamp, "voice")


@pytest.mark.parametrize(
    ("body", "score", "model"),
    [
        ({"score": 0.25, "model": "m-1"}, 0.25, "m-1"),
        ({"score": 0}, 0.0, None),
        ({"score": 1, "model": None}, 1.0, None),
        ({"result": {"score": 0.5}, "model": 7}, 0.5, None),
        ({"score": 0.5, "model": "m" * 257}, 0.5, None),
        ({"score": 0.5, "model": ""}, 0.5, None),
    ],
)
def test_a_score_is_a_record_under_the_interactions_key(body: object, score: float, model: str | None) -> None:
    came = answered(200, body)

    assert isinstance(came, Done)
    (record,) = came.outputs
    assert (record.topic, record.key, record.headers) == (ML_SCORES.name, b"i-1", HEADERS[:2])
    assert CODEC.decoder(InteractionScore)(record.value or b"") == InteractionScore("i-1", score, model, 12, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[0.5]",
        b'{"score": null}',
        b'{"score": NaN}',
        b'{"score": 1e999}',
        b'{"score": -1e999}',
        b'{"score": 1' + b"0" * 400 + b"}",
        b'{"score": "0.5"}',
        b'{"score": true}',
        b'{"score": [0.5]}',
        b'{"score": 1.0001}',
        b'{"score": -0.0001}',
        b'{"score": ' + b"[" * 3000,
    ],
)
def test_what_is_no_score_becomes_a_dead_letter(body: bytes) -> None:
    came = answered(200, body)

    assert isinstance(came, Refused)
    assert came.reason == NO_SCORE
    assert "200" in came.detail


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 409, 425, 429, 301, 302, 304])
def test_trouble_is_another_attempt(status: int) -> None:
    assert answered(status, {"error": "busy"}) == Failed(f'{status} {{"error":"busy"}}')


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 422, 451])
def test_a_refusal_is_a_dead_letter_with_the_models_words(status: int) -> None:
    assert answered(status, {"error": "bad"}) == Refused(REFUSED, f'{status} {{"error":"bad"}}')


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["score", "result", "model"]), inner),
    max_leaves=6,
)


@given(st.integers(100, 999), st.one_of(st.binary(max_size=50), json))
def test_only_finite_scores_within_the_bounds_reach_the_topic(status: int, body: object) -> None:
    try:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
    except TypeError:  # an integer of more than 64 bits
        data = b"{}"

    came = answered(status, data)

    if isinstance(came, Done):
        score = CODEC.decoder(InteractionScore)(came.outputs[0].value or b"").score
        assert math.isfinite(score)
        assert 0 <= score <= 1
