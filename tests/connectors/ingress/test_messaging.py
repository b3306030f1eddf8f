"""Where guests' frames go, under which key, and how a token is shown and never passed on."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import SecretStr

from connectors.cxone.connection import Answer, Frame
from connectors.cxone.dialect import load
from connectors.cxone.websocket import Opening
from connectors.errors import ConfigurationError
from connectors.ingress.messaging import feed, opening, source
from connectors.ingress.raw_record import outgoing
from connectors.settings import CxoneSettings
from schemas.envelope import SOURCE

DIALECT = load("v2").messaging
FIELDS = DIALECT.fields.message()
FEED = feed(FIELDS)
TOKEN = "t0k/en+=="


def frame(data: bytes) -> Frame:
    return Frame(data, "c0ffee", 0, 1_700_000_000_123)


def begin(token: str = TOKEN) -> Opening:
    return opening("wss://api.example/ws", DIALECT.socket, FIELDS.event_type)(SecretStr(token))


def answer(data: bytes, token: str = TOKEN) -> Answer | None:
    auth = begin(token).auth
    assert auth is not None
    return auth.answer(data)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"metadata": {"browserFingerprint": "b"}, "guest": {"fingerprint": "g"}, "conversationId": "c"}, b"b"),
        ({"guest": {"fingerprint": "g"}, "conversationId": "c"}, b"g"),
        ({"guest": {"fingerprint": "é"}}, "é".encode()),
        ({"guest": {"fingerprint": ""}, "conversationId": 12, "eventId": "e"}, b"12"),
        ({"metadata": {"browserFingerprint": {}}, "conversationId": "c"}, b"c"),
        ({"eventId": "e"}, b"e"),
        ({"type": "heartbeat"}, None),
    ],
)
def test_the_key_is_the_guest_or_else_the_conversation_or_else_the_event(
    content: dict[str, Any], key: bytes | None
) -> None:
    data = orjson.dumps(content)

    record = outgoing(frame(data), FEED)

    assert (record.topic, record.key, record.value) == ("cxone.raw.messages", key, data)
    assert dict(record.headers)[SOURCE].startswith(b"messaging:")


def test_a_described_browser_has_one_key() -> None:
    one, other = (
        outgoing(frame(orjson.dumps({"metadata": {"browserFingerprint": {"ip": ip, "os": "x"}}})), FEED).key
        for ip in ("192.0.2.1", "192.0.2.2")
    )

    assert one != other
    assert len(one or b"") == 32


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(), st.lists, max_leaves=5))
def test_any_values_in_the_places_of_ids_are_survived(value: object) -> None:
    data = orjson.dumps({"metadata": {"browserFingerprint": value}, "conversationId": value, "eventId": value})

    assert outgoing(frame(data), FEED).value == data


@pytest.mark.parametrize("token", ["plain", TOKEN, 'quo"te\\', "{token}", "ü"])
def test_the_first_message_shows_the_token(token: str) -> None:
    beginning = begin(token)

    (hello,) = beginning.messages
    assert orjson.loads(hello) == {"type": "auth", "token": token}
    assert beginning.url == "wss://api.example/ws"
    assert token not in repr(beginning)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"type": "auth.ok"}', Answer.ACCEPTED),
        (b'{"type": "auth.error", "reason": "expired"}', Answer.REFUSED),
        (b'{"eventType": "auth.expired"}', Answer.REFUSED),
        (b'{"type": "auth.error", "token": "t0k/en+=="}', Answer.REFUSED),
        (b'{"type": "session", "token": "t0k/en+=="}', None),
        (b'{"type": "message", "text": "auth.ok"}', None),
        (b'{"type": "heartbeat"}', None),
        (b'{"type": ["auth.ok"]}', None),
        (b'["auth.ok"]', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_an_answer_to_the_token_is_told_from_a_frame(data: bytes, expected: Answer | None) -> None:
    assert answer(data) is expected


@given(st.binary())
def test_any_bytes_are_an_answer_or_a_frame(data: bytes) -> None:
    assert answer(data) in {None, Answer.ACCEPTED}


def test_close_codes_that_refuse_a_token_are_the_dialect_s() -> None:
    auth = begin().auth

    assert auth is not None
    assert auth.refused_codes == DIALECT.socket.refused_codes
    assert 4401 in auth.refused_codes


def test_a_tenant_s_socket_is_put_together_from_its_dialect_and_settings() -> None:
    found = source(CxoneSettings(client_id="me", client_secret=SecretStr("secret")))

    assert found.credentials.token_url == "https://api.cxone.com/oauth/v2/token"
    assert (found.credentials.client_id, found.credentials.renew_before) == ("me", 300)
    assert found.credentials.scope == "webchat:read routing:write conversations:read users:read"
    assert found.begin(SecretStr("t")).url == "wss://api.cxone.com/webchat/v1/ws"
    assert (found.policy.ping_interval, found.policy.pong_timeout, found.policy.max_frame_bytes) == (20, 10, 2**20)
    assert (found.feed.stage, found.feed.topic.name) == ("connect messaging", "cxone.raw.messages")


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CXONE_DIALECT: 'v9'"):
        source(CxoneSettings(client_id="me", client_secret=SecretStr("secret"), dialect="v9"))


@pytest.mark.parametrize("name", ["received_total", "published_total", "in_flight"])
def test_figures_are_named_as_those_of_interactions(name: str) -> None:
    assert REGISTRY.get_sample_value(f"cxone_messaging_{name}") is not None
