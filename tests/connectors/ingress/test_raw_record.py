"""A frame is published as it came, or as a dead letter that says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cxone.connection import Frame
from connectors.ingress.raw_record import LARGEST_FRAME, Feed, Metrics, outgoing
from schemas.envelope import Outgoing
from schemas.frame_fields import identity
from schemas.topics import RAW_MESSAGES

FEED = Feed("tested", RAW_MESSAGES, Metrics("tested"), lambda frame: identity(frame, (("key",),)), (("eventId",),))


def frame(data: bytes, number: int = 0) -> Frame:
    return Frame(data, "c0ffee", number, 1_700_000_000_123)


def header(record: Outgoing, name: str) -> str | None:
    values = [value.decode() for key, value in record.headers if key == name]
    return values[0] if values else None


def test_a_frame_becomes_its_own_bytes_under_the_feed_s_key() -> None:
    data = b' {"key": "k-7", "eventId": "e-9"}\n'

    assert outgoing(frame(data), FEED) == Outgoing(
        "cxone.raw.messages",
        b"k-7",
        data,
        (
            ("cxone-source", b"tested:c0ffee"),
            ("cxone-received-at", b"1700000000123"),
        ),
    )


@pytest.mark.parametrize(
    ("data", "key"), [(b'{"eventId": "e-9"}', b"e-9"), (b'{"key": [], "eventId": 9}', b"9"), (b"{}", None)]
)
def test_without_a_key_the_event_id_stands_in(data: bytes, key: bytes | None) -> None:
    assert outgoing(frame(data), FEED).key == key


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"", "not JSON", ""),
        (b"ping", "not JSON", "line 1"),
        (b'{"payload": ', "not JSON", "line 1"),
        (b'{"a": NaN}', "not JSON", "line 1"),
        (b'{"a": "\xff"}', "not JSON", "UTF-8"),
        (b"[1]", "not a JSON object", "JSON list"),
        (b"null", "not a JSON object", "JSON NoneType"),
        (b'"text"', "not a JSON object", "JSON str"),
        (b'{"a": "%s"}' % (b"x" * LARGEST_FRAME), "too large", "900009 bytes"),
    ],
)
def test_other_frames_become_dead_letters_with_a_reason(data: bytes, reason: str, detail: str) -> None:
    record = outgoing(frame(data, 42), FEED)

    assert (record.topic, record.key, record.value) == ("cxone.dead-letters", None, data[:LARGEST_FRAME])
    assert header(record, "cxone-dead-reason") == reason
    assert detail in (header(record, "cxone-dead-detail") or "")
    assert header(record, "cxone-dead-stage") == "connect tested"
    assert header(record, "cxone-dead-source") == "socket:c0ffee:42"
    assert header(record, "cxone-received-at") == "1700000000123"
    assert header(record, "cxone-dead-truncated") == (str(len(data)) if len(data) > LARGEST_FRAME else None)


@given(st.binary())
def test_any_bytes_become_a_record_with_these_bytes(data: bytes) -> None:
    assert outgoing(frame(data), FEED).value == data
