"""Where analytics frames go, under which key, and how a subscription is named and lost."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.cxone.connection import Answer, Frame
from connectors.cxone.dialect import load
from connectors.cxone.event_subscriptions import Wanted
from connectors.cxone.websocket import Opening
from connectors.errors import ConfigurationError
from connectors.ingress.analytics import feed, opening, source
from connectors.ingress.raw_record import outgoing
from connectors.ingress.subscription import Subscription
from connectors.settings import CxoneSettings
from schemas.envelope import SOURCE

DIALECT = load("v2").analytics
FIELDS = DIALECT.fields.analytics()
FEED = feed(FIELDS)
TOKEN = "t0k/en+=="


def subscribed(name: str = "sub-1") -> Subscription:
    wanted = Wanted(url="https://api.example/eventsub", request={}, id=(("id",),), message=(("message",),))
    subscription = Subscription(wanted, "n")
    subscription.id = name
    return subscription


def begin(subscription: Subscription) -> Opening:
    return opening("wss://api.example/ws", DIALECT.socket, FIELDS.event_type, subscription)(SecretStr(TOKEN))


def answer(data: bytes) -> Answer | None:
    auth = begin(subscribed()).auth
    assert auth is not None
    return auth.answer(data)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"agentId": "a", "interactionId": "i", "queueId": "q", "eventId": "e"}, b"a"),
        ({"agentId": None, "interactionId": "i", "queueId": "q"}, b"i"),
        ({"queueId": 7}, b"7"),
        ({"eventId": "e"}, b"e"),
    ],
)
def test_the_key_is_whom_a_frame_tells_of(content: dict[str, Any], key: bytes) -> None:
    data = orjson.dumps(content)

    record = outgoing(Frame(data, "c0ffee", 0, 1), FEED)

    assert (record.topic, record.key, record.value) == ("cxone.raw.analytics", key, data)
    assert dict(record.headers)[SOURCE] == b"analytics:c0ffee"


def test_a_frame_that_tells_of_nobody_has_the_same_key_each_time() -> None:
    one, same, other = (outgoing(Frame(data, "c", 0, 1), FEED).key for data in (b'{"x":1}', b'{"x":1}', b'{"x":2}'))

    assert one == same
    assert one != other
    assert one


@pytest.mark.parametrize("name", ["sub-1", 'quo"te\\', "{token}", "ü"])
def test_the_token_is_in_a_header_and_the_subscription_in_the_first_message(name: str) -> None:
    beginning = begin(subscribed(name))

    (hello,) = beginning.messages
    assert orjson.loads(hello) == {
        "type": "subscribe",
        "subscriptionId": name,
        "events": ["interaction", "agent", "queue"],
        "format": "json",
    }
    assert beginning.headers == {"Authorization": f"Bearer {TOKEN}"}
    assert beginning.url == "wss://api.example/ws"
    assert TOKEN not in repr(beginning)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"type":"subscribed"}', Answer.ACCEPTED),
        (b'{"type":"error","code":"unknown_subscription"}', Answer.REFUSED),
        (b'{"type":"error","code":"unknown_subscription","token":"t0k/en+=="}', Answer.REFUSED),
        (b'{"type":"error","code":"slow_down"}', None),
        (b'{"type":"session","token":"t0k/en+=="}', None),
        (b'{"eventType":"interaction"}', None),
        (b'{"type":["subscribed"]}', None),
        (b'{"type":"error","code":{}}', None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_an_answer_is_told_from_a_frame(data: bytes, expected: Answer | None) -> None:
    assert answer(data) is expected


@given(st.binary())
def test_any_bytes_are_an_answer_or_a_frame(data: bytes) -> None:
    assert answer(data) in {None, Answer.ACCEPTED}


def test_a_subscription_that_is_refused_is_forgotten_and_no_close_code_refuses_it() -> None:
    subscription = subscribed()
    auth = begin(subscription).auth
    assert auth is not None
    assert auth.refused is not None

    auth.refused()

    assert subscription.id is None
    assert 1008 not in auth.refused_codes


def test_a_tenant_s_socket_is_put_together_from_its_dialect_and_settings() -> None:
    found = source(CxoneSettings(client_id="me", client_secret=SecretStr("secret"), region="na1"))

    assert found.credentials.token_url == "https://api-na1.cxone.com/oauth/token"
    assert found.credentials.scope == "analytics:read realtime:read events:subscribe"
    assert (found.credentials.renew_before, found.policy.open_timeout, found.policy.red_after) == (60, 5, 10)
    assert (found.policy.first_delay, found.policy.longest_delay) == (1, 15)
    assert found.subscription is not None
    assert found.subscription.wanted.url == "https://api-na1.cxone.com/api/v2/analytics/eventsub"
    assert found.subscription.wanted.request["filters"] == {"status": "active"}
    assert found.subscription.key == b"https://api-na1.cxone.com/api/v2/analytics/eventsub|cxone-streams"
    assert (found.feed.stage, found.feed.topic.name) == ("connect analytics", "cxone.raw.analytics")


def test_urls_can_be_replaced() -> None:
    found = source(
        CxoneSettings(
            client_id="me",
            client_secret=SecretStr("secret"),
            analytics_token_url="http://localhost/token",
            analytics_api_url="http://localhost/base/",
            analytics_ws_url="ws://localhost/ws",
        )
    )

    assert found.credentials.token_url == "http://localhost/token"
    assert found.subscription is not None
    assert found.subscription.wanted.url == "http://localhost/base/api/v2/analytics/eventsub"


def test_a_region_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigurationError, match="CXONE_REGION"):
        source(CxoneSettings(client_id="me", client_secret=SecretStr("secret")))
