"""A guest's message on its way into CXone's queues, and what CXone's answers mean."""

import orjson
import pytest
from msgspec import structs

from schemas.avro import Codec
from schemas.envelope import EVENT_ID, SOURCE_POSITION, Consumed
from schemas.records import GuestMessage, RoutingResult
from schemas.releases import FileSchemaIds
from schemas.topics import ROUTING_RESULTS
from streams.core.calls.job import Done, Failed, Job, Outcome
from streams.core.contract import Refused
from streams.stages.routing.conversation import FORBIDDEN, LONGEST_WORDS, QUEUE_REFUSED, outcome, request

MESSAGE = GuestMessage("e-1", "conv-7", "0123456789abcdef", "Hello ☺", "sales", 1_000, 2_000)
CODEC = Codec(FileSchemaIds())
HEADERS = ((SOURCE_POSITION, b"3:17"), (EVENT_ID, b"e-1"), ("other", b"x"))


def job(attempt: int = 1, message: GuestMessage = MESSAGE) -> Job[GuestMessage]:
    return Job("conv-7", (3, 17), message, Consumed(5, b"", b"conv-7", HEADERS), "asked", 5, attempt)


def answered(status: int, body: object = None, *, now: int = 4_500, target: float = 2.0, attempt: int = 1) -> Outcome:
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return outcome(status, data, job(attempt), now=now, target=target, encode=CODEC.encoder(RoutingResult))


def test_a_message_becomes_the_body_that_cxone_expects() -> None:
    assert orjson.loads(request(MESSAGE)) == {
        "type": "webchat",
        "queueId": "sales",
        "customer": {
            "id": "conv-7",
            "firstName": "Guest",
            "lastName": "01234567",
            "email": "guest_conv-7@temp.cxone.com",
        },
        "media": {"webchat": {"message": "Hello ☺", "url": ""}},
    }


def test_a_guest_without_a_fingerprint_is_named_after_the_conversation() -> None:
    body = orjson.loads(request(structs.replace(MESSAGE, fingerprint=None)))

    assert body["customer"]["lastName"] == "conv-7"


def test_an_accepted_message_is_a_result_with_its_time() -> None:
    came = answered(201, {"id": 991}, attempt=2)

    assert isinstance(came, Done)
    (record,) = came.outputs
    assert (record.topic, record.key) == (ROUTING_RESULTS.name, b"conv-7")
    assert record.headers == HEADERS[:2]
    assert CODEC.decoder(RoutingResult)(record.value or b"") == RoutingResult(
        event_id="e-1",
        conversation_id="conv-7",
        fingerprint="0123456789abcdef",
        queue_id="sales",
        routing_id="991",
        attempts=2,
        received_at=2_000,
        routed_at=4_500,
        seconds=2.5,
        within_target=False,
    )


@pytest.mark.parametrize(("now", "within"), [(4_000, True), (4_001, False), (1_500, True)])
def test_the_target_counts_from_the_frame(now: int, within: bool) -> None:
    came = answered(201, {"id": "r"}, now=now)

    assert isinstance(came, Done)
    result = CODEC.decoder(RoutingResult)(came.outputs[0].value or b"")
    assert (result.within_target, result.seconds >= 0) == (within, True)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"message": "Unknown queue q9"}, Refused(QUEUE_REFUSED, "400 Unknown queue q9")),
        (403, {"code": "scope", "message": "routing:write"}, Refused(FORBIDDEN, "403 scope routing:write")),
        (401, None, Failed("401")),
        (408, None, Failed("408")),
        (500, b"<html>oops</html>", Failed("500 <html>oops</html>")),
        (503, {"error": "down"}, Failed("503 down")),
        (404, None, Failed("404")),
        (599, None, Failed("599")),
    ],
)
def test_refusals_are_final_and_everything_else_is_tried_again(status: int, body: object, expected: Outcome) -> None:
    assert answered(status, body) == expected


def test_cxones_words_are_kept_within_bounds() -> None:
    refused = answered(400, {"message": "x" * 5000})

    assert isinstance(refused, Refused)
    assert len(refused.detail) <= LONGEST_WORDS + 4


@pytest.mark.parametrize("body", [b"", b"[1]", b'"text"', b"\xff\xfe"])
def test_an_accepted_message_is_routed_whatever_the_body_says(body: bytes) -> None:
    assert isinstance(answered(201, body), Done)


DEEP = b"[" * 1000 + b"]" * 1000


@pytest.mark.parametrize("name", ["id", "code", "message", "error"])
def test_only_scalars_are_taken_from_an_answer(name: str) -> None:
    for status in (201, 400, 500):
        came = answered(status, b'{"%s": %s}' % (name.encode(), DEEP))

        assert isinstance(came, Done | Refused | Failed)
        if isinstance(came, Done):
            assert CODEC.decoder(RoutingResult)(came.outputs[0].value or b"").routing_id is None
        else:
            assert str(status) in str(came)
            assert "[" not in str(came).split("(", 1)[1]


def test_a_long_routing_id_is_cut() -> None:
    came = answered(201, {"id": "x" * 100_000})

    assert isinstance(came, Done)
    assert len(CODEC.decoder(RoutingResult)(came.outputs[0].value or b"").routing_id or "") == 256
