from collections import Counter
from random import Random

import orjson
import pytest

from connectors.simulator.messaging.frames import MALFORMED, GuestFrame, Said, frames

NOW = 1_772_443_800_000
HELLO = Said.model_validate({"text": "Hello", "conversationId": "c-1"})


def made(number: int, said: Said = HELLO, *, redelivered: float = 0, malformed: float = 0) -> list[GuestFrame]:
    rng = Random(7)
    return [
        frame for _ in range(number) for frame in frames(said, NOW, rng, redelivered=redelivered, malformed=malformed)
    ]


def test_the_same_seed_makes_the_same_frames() -> None:
    assert made(50, redelivered=0.5, malformed=0.5) == made(50, redelivered=0.5, malformed=0.5)


def test_now_and_then_somebody_types_or_answers() -> None:
    kinds = Counter(frame.kind for frame in made(1000))

    assert kinds["inbound"] == 1000
    assert 50 < kinds["outbound"] < 150
    assert 50 < kinds["typing"] < 150
    assert set(kinds) == {"inbound", "outbound", "typing"}


def test_a_redelivery_has_the_same_bytes_and_everything_else_an_id_of_its_own() -> None:
    sent = made(100, redelivered=1, malformed=1)

    ids = [frame.event_id for frame in sent if frame.kind != "redelivered"]
    assert len(set(ids)) == len(ids)
    bodies = {kind: [frame.body for frame in sent if frame.kind == kind] for kind in ("inbound", "redelivered")}
    assert bodies["redelivered"] == bodies["inbound"]
    assert len([frame for frame in sent if frame.kind == "malformed"]) == 100


def test_only_what_guests_write_is_inbound() -> None:
    frames_sent = [(frame.kind, orjson.loads(frame.body)) for frame in made(200)]

    for kind, frame in frames_sent:
        assert (frame["type"] == "message" and frame["direction"] == "inbound") == (kind == "inbound")


@pytest.mark.parametrize("fingerprint", ["f-1", {"browser": "Firefox"}, None])
def test_a_fingerprint_is_passed_on_as_it_is(fingerprint: object) -> None:
    said = Said.model_validate({"text": "Hello", "conversationId": "c-1", "fingerprint": fingerprint})

    metadata = orjson.loads(made(1, said)[0].body)["metadata"]

    assert metadata == ({} if fingerprint is None else {"browserFingerprint": fingerprint})


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_frame_differs_from_a_good_one(kind: str) -> None:
    good = orjson.loads(made(1)[0].body)

    assert MALFORMED[kind](good) != orjson.dumps(good)
