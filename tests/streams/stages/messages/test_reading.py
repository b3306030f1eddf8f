"""Raw frames of web messaging through the stage `messages`."""

from typing import Any

import orjson
import pytest

from connectors.cxone import dialect
from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import EVENT_ID, RECEIVED_AT, SOURCE_POSITION, Consumed, Outgoing
from schemas.records import GuestMessage
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS, GUEST_MESSAGES
from streams.core.contract import Chunk
from streams.core.raw_frames.arrival import received_at
from streams.core.raw_frames.frames import Frames
from streams.stages.messages.reading import ELSEWHERES, messages

CODEC = Codec(FileSchemaIds())
READING = messages(dialect.load("v2").messaging.fields.message(), encode=CODEC.encoder(GuestMessage))
NOW = 1_795_250_400_000  # ms


def frame(event_id: str = "e-1", **changes: object) -> dict[str, object]:
    return {
        "type": "message",
        "direction": "inbound",
        "eventId": event_id,
        "conversationId": "c-1",
        "timestamp": NOW,
        "text": "hello?",
        "metadata": {"browserFingerprint": "f-1"},
        **changes,
    }


def fold(*contents: object) -> tuple[int, list[Outgoing]]:
    stage = Frames(3, {}, horizon=900_000, reading=READING)
    headers = ((RECEIVED_AT, b"%d" % (NOW + 5)),)
    records = [
        Consumed(i, content if isinstance(content, bytes) else orjson.dumps(content), b"f-1", headers, NOW + 9)
        for i, content in enumerate(contents)
    ]
    return stage.fold(Chunk("cxone.raw.messages", 3, records)), stage.flush(0.0, seal=False).outputs


def test_what_a_guest_wrote_goes_on_under_the_guest() -> None:
    refused, (output,) = fold(frame())

    assert refused == 0
    assert (output.topic, output.key) == (GUEST_MESSAGES.name, b"f-1")
    assert output.headers == ((SOURCE_POSITION, b"3:0"), (EVENT_ID, b"e-1"))
    assert CODEC.decoder(GuestMessage)(output.value or b"") == GuestMessage(
        "e-1", "c-1", "f-1", "hello?", "default", NOW, NOW + 5
    )


def test_a_guest_without_a_fingerprint_is_known_by_the_conversation() -> None:
    _, (output,) = fold(frame(metadata={}))

    assert output.key == b"c-1"


def test_what_comes_again_and_what_is_no_guests_is_dropped() -> None:
    refused, outputs = fold(frame(), frame(), frame("e-2", direction="outbound"), frame("e-3", type="typing"))

    assert refused == 0
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", b"not JSON"),
        (frame(conversationId=None), b"conversation id"),
        (frame(text=7), b"text"),
        (frame(timestamp="yesterday"), b"event time"),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter(content: object, reason: bytes) -> None:
    refused, (output,) = fold(content)

    assert refused == 1
    assert output.topic == DEAD_LETTERS.name
    assert dict(output.headers)[DEAD_REASON] == reason


def in_storage(**changes: object) -> dict[str, object]:
    data = {"s3Object": {"url": "https://storage.example/e"}, "originEvent": {"eventType": "MessageCreated"}}
    return {"eventId": "e-9", "eventType": "EventInS3", "createdAt": NOW, "data": data, **changes}


CUT = frame(data={"message": {"hasAdditionalMessageContent": True}})


@pytest.mark.parametrize("content", [in_storage(), in_storage(direction="inbound"), CUT])
def test_a_message_that_is_not_whole_is_a_dead_letter_with_a_metric_of_its_own(content: dict[str, object]) -> None:
    before = ELSEWHERES._value.get()

    refused, (output,) = fold(content)

    assert refused == 1
    assert output.topic == DEAD_LETTERS.name
    assert dict(output.headers)[DEAD_REASON] == b"message elsewhere"
    assert output.value == orjson.dumps(content)
    assert ELSEWHERES._value.get() == before + 1


@pytest.mark.parametrize(
    "content",
    [
        in_storage(data={"originEvent": {"eventType": "ContactUpdated"}}),
        in_storage(data={"originEvent": {"eventType": ["MessageCreated"]}}),
        in_storage(data=None),
        in_storage(direction="outbound"),
        in_storage(direction=["inbound"]),
        CUT | {"direction": "outbound"},
    ],
)
def test_what_no_guest_wrote_may_be_elsewhere(content: dict[str, object]) -> None:
    assert fold(content) == (0, [])


@pytest.mark.parametrize("header", [b"soon", b"", b"-1", b"9" * 16])
def test_a_time_of_arrival_that_is_none_is_the_brokers(header: bytes) -> None:
    assert received_at(Consumed(0, b"", headers=((RECEIVED_AT, header),), timestamp=7)) == 7
    assert received_at(Consumed(0, b"", timestamp=8)) == 8


def test_a_null_time_of_arrival_is_none() -> None:
    headers: Any = ((RECEIVED_AT, None),)

    assert received_at(Consumed(0, b"", headers=headers, timestamp=7)) == 7


def test_a_connectors_clock_is_not_believed_beyond_the_brokers() -> None:
    assert received_at(Consumed(0, b"", headers=((RECEIVED_AT, b"9"),), timestamp=8)) == 8
    assert received_at(Consumed(0, b"", headers=((RECEIVED_AT, b"7"),), timestamp=8)) == 7
