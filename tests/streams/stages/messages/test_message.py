"""What guests' frames say, and what counts as said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.records import GuestMessage
from streams.core.contract import Refused
from streams.stages.messages.message import BAD_TEXT, BAD_TIME, NO_CONVERSATION, guest_message

RECEIVED = 1_795_251_601_000  # ms
SENT = 1_795_251_600_000
FIELDS = dialect.load("v2").messaging.fields.message()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


def frame(**fields: object) -> dict[str, object]:
    metadata = {"browserFingerprint": "fp", "routing": {"queueId": "q-1"}}
    usual = {"eventId": "e", "conversationId": "c", "text": "hello", "timestamp": SENT, "metadata": metadata}
    return {"type": "message", "direction": "inbound", **usual, **fields}


def read(**fields: object) -> GuestMessage | Refused:
    return guest_message(frame(**fields), RECEIVED, fields=FIELDS)


def message(**fields: object) -> GuestMessage:
    found = read(**fields)
    assert isinstance(found, GuestMessage)
    return found


def refusal(**fields: object) -> str:
    found = read(**fields)
    assert isinstance(found, Refused)
    return found.reason


def test_every_field_is_where_the_dialect_says() -> None:
    assert read() == GuestMessage("e", "c", "fp", "hello", "q-1", SENT, RECEIVED)


@pytest.mark.parametrize(("value", "expected"), [("c" * 256, "c" * 256), (4711, "4711")])
def test_a_conversation_is_told_by_text_or_a_whole_number(value: object, expected: str) -> None:
    assert message(conversationId=value).conversation_id == expected


@pytest.mark.parametrize("value", [None, "", "c" * 257, True, 1.5, ["c"], {}])
def test_a_message_of_no_conversation_is_refused(value: object) -> None:
    assert refusal(conversationId=value) == NO_CONVERSATION


@pytest.mark.parametrize(("value", "expected"), [("", ""), (" \n", " \n"), (None, "")])
def test_an_empty_text_is_a_message_and_so_is_none(value: object, expected: str) -> None:
    assert message(text=value).text == expected


@pytest.mark.parametrize("value", [7, True, ["hello"], {"de": "hallo"}])
def test_what_is_no_text_is_refused(value: object) -> None:
    assert refusal(text=value) == BAD_TEXT


@pytest.mark.parametrize(
    "value",
    [SENT, SENT // 1000, float(SENT // 1000), "2026-11-21T09:00:00Z", "2026-11-21T14:30:00+05:30", "20261121T090000"],
)
def test_seconds_milliseconds_and_text_are_told_apart(value: object) -> None:
    assert message(timestamp=value).sent_at == SENT


def test_a_message_without_a_time_was_sent_when_it_arrived() -> None:
    assert message(timestamp=None).sent_at == RECEIVED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        (946_684_800, 946_684_800_000),
        (RECEIVED + 86_400_000, RECEIVED + 86_400_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        (253_402_300_799_999, 253_402_300_799_999),
    ],
)
def test_a_clock_that_is_wrong_is_taken_at_its_word(value: object, expected: int) -> None:
    assert message(timestamp=value).sent_at == expected


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "", "1795251600", True, [], {}),
        *(0, -1, 946_684_799, "1999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-01:00"),
        *(253_402_300_800_000, SENT * 1000, SENT * 10**6, 10**400, float("nan"), float("inf"), 1e300),
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    assert refusal(timestamp=value) == BAD_TIME


@pytest.mark.parametrize(
    ("metadata", "queue"),
    [
        ({"routing": {"queueId": "q-2"}}, "q-2"),
        ({"routing": {"queueId": 12}}, "12"),
        ({"routing": {"queueId": ""}}, "default"),
        ({"routing": {"queueId": ["q"]}}, "default"),
        ({"routing": "q"}, "default"),
        ({}, "default"),
        (None, "default"),
    ],
)
def test_a_message_that_names_no_queue_goes_to_the_default_one(metadata: object, queue: str) -> None:
    assert message(metadata=metadata).queue_id == queue


@pytest.mark.parametrize(
    ("fields", "fingerprint", "guest"),
    [
        ({}, "fp", "fp"),
        ({"metadata": {}, "guest": {"fingerprint": "g"}}, "g", "g"),
        ({"metadata": {"browserFingerprint": 12}}, "12", "12"),
        ({"metadata": {"browserFingerprint": "f" * 257}}, None, "c"),
        ({"metadata": {"browserFingerprint": {"browserVersion": "1"}}, "guest": {"fingerprint": ""}}, None, "c"),
        ({"metadata": None}, None, "c"),
    ],
)
def test_the_guest_is_the_browser_or_else_the_conversation(
    fields: dict[str, object], fingerprint: str | None, guest: str
) -> None:
    found = message(**fields)

    assert (found.fingerprint, found.guest) == (fingerprint, guest)


def test_a_described_browser_is_one_guest_whatever_else_is_said_of_it() -> None:
    def guest(**parts: Any) -> str:
        found = message(metadata={"browserFingerprint": {"ip": "192.0.2.1", "browser": "Firefox", **parts}})
        return found.guest

    assert guest() == guest(deviceType="desktop") == guest(os="")
    assert len({guest(), guest(ip="192.0.2.2"), guest(browser="Safari"), guest(language="de")}) == 4
    assert len(guest()) == 32


def test_an_unusable_event_id_is_none() -> None:
    assert message(eventId={"id": "e"}).event_id is None
    assert message(eventId=None, messageId="m").event_id == "m"


def described(**parts: object) -> dict[str, object]:
    return {"browser": "Chrome", "os": "Mac OS", "language": "en-GB", "deviceToken": "", "ip": "", **parts}


def test_guests_with_the_same_browser_are_told_apart_or_else_are_their_conversations() -> None:
    assert message(metadata={"browserFingerprint": described()}).guest == "c"
    assert message(metadata={"browserFingerprint": described(ip=None, deviceToken=["x"])}).guest == "c"
    by_address = message(metadata={"browserFingerprint": described(ip="192.0.2.1")}).guest
    by_token = message(metadata={"browserFingerprint": described(deviceToken="t")}).guest
    assert len({by_address, by_token, "c"}) == 3


def test_a_description_that_tells_nobody_gives_way_to_one_that_does() -> None:
    found = message(
        metadata=None, data={"message": {"deviceFingerprint": described()}, "case": {"userFingerprint": "u"}}
    )

    assert found.guest == "u"


REAL = {
    "eventId": "6f1b3c1e-0a55-4a62-9a3c-1d0f5f0e9a01",
    "eventObject": "Message",
    "eventType": "MessageCreated",
    "createdAt": "2026-11-21T09:00:01+00:00",
    "createdAtWithMilliseconds": "2026-11-21T09:00:01.250+00:00",
    "data": {
        "case": {"id": "431576069926", "routingQueueId": "rq-7", "userFingerprint": described()},
        "message": {
            "direction": "inbound",
            "createdAt": "2026-11-21T09:00:00+00:00",
            "createdAtWithMilliseconds": "2026-11-21T09:00:00.123+00:00",
            "messageContent": {"payload": {"text": "hello"}},
            "deviceFingerprint": described(ip="192.0.2.1"),
            "hasAdditionalMessageContent": False,
        },
    },
    "context": [],
}


def test_a_real_frame_says_when_and_by_whom() -> None:
    found = guest_message(REAL, RECEIVED, fields=FIELDS)

    assert isinstance(found, GuestMessage)
    assert (found.conversation_id, found.text, found.queue_id) == ("431576069926", "hello", "rq-7")
    assert found.sent_at == SENT + 123
    assert found.guest == message(metadata={"browserFingerprint": described(ip="192.0.2.1")}).guest


KEYS = ["eventId", "conversationId", "text", "timestamp", "metadata", "guest", "data", "type", "x"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_object_is_a_message_or_refused(content: dict[str, object]) -> None:
    assert isinstance(guest_message(content, RECEIVED, fields=FIELDS), GuestMessage | Refused)


@given(st.dictionaries(st.sampled_from(["eventId", "text", "timestamp", "metadata", "guest"]), JSON))
def test_any_values_beside_the_conversation_are_survived(content: dict[str, object]) -> None:
    assert isinstance(read(**content), GuestMessage | Refused)
