"""Where interactions go, under which key, and how their socket begins."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import SecretStr

from connectors.cxone.connection import Frame
from connectors.cxone.dialect import load
from connectors.ingress.interactions import feed, opening, source
from connectors.ingress.raw_record import outgoing
from connectors.settings import CxoneSettings
from schemas.envelope import SOURCE

DIALECT = load("v2").interactions
FEED = feed(DIALECT.fields.interaction())


def frame(data: bytes) -> Frame:
    return Frame(data, "c0ffee", 0, 1_700_000_000_123)


@pytest.mark.parametrize(
    ("content", "key", "event_id"),
    [
        ({"eventId": "e", "payload": {"interactionId": "i", "contactId": "c"}}, b"i", "e"),
        ({"eventId": "e", "payload": {"contactId": 12}}, b"12", "e"),
        ({"eventId": "e"}, b"e", "e"),
        ({"payload": {"contactId": "ç"}}, "ç".encode(), "ç"),
        ({"type": "subscription.confirmed"}, None, None),
        ({"eventId": "x" * 257, "payload": "text"}, None, None),
        ({}, None, None),
    ],
)
def test_the_key_is_the_first_id_there_is(content: dict[str, Any], key: bytes | None, event_id: str | None) -> None:
    record = outgoing(frame(orjson.dumps(content)), FEED)

    assert (record.topic, record.key) == ("cxone.raw.interactions", key)
    assert dict(record.headers)[SOURCE].startswith(b"interactions:")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_values_in_the_places_of_ids_are_survived(value: object) -> None:
    data = json.dumps({"eventId": value, "payload": {"interactionId": value, "contactId": value}}).encode()

    assert outgoing(frame(data), FEED).value == data


def test_the_socket_begins_with_the_token_in_the_query_and_the_subscription() -> None:
    begin = opening("wss://acme.example/api/v2/events?tenant=a+b&x=", DIALECT.socket)

    beginning = begin(SecretStr("t&=+/%"))

    assert parse_qs(urlsplit(beginning.url).query, keep_blank_values=True) == {
        "tenant": ["a b"],
        "x": [""],
        "access_token": ["t&=+/%"],
    }
    assert beginning.url.startswith("wss://acme.example/api/v2/events?")
    assert beginning.messages == ('{"subscription":["interaction.completed"]}',)


def test_a_tenant_s_socket_is_put_together_from_its_dialect_and_settings() -> None:
    settings = CxoneSettings(org_domain="acme", client_id="me", client_secret=SecretStr("secret"))

    found = source(settings)

    assert found.credentials.token_url == "https://acme.cxone.com/oauth/token"
    assert (found.credentials.client_id, found.credentials.renew_before) == ("me", 120)
    assert found.credentials.scope == "view:interaction read:interaction"
    assert found.begin(SecretStr("t")).url == "wss://acme.cxone.com/api/v2/events?access_token=t"
    assert (found.policy.ping_interval, found.policy.pong_timeout, found.policy.max_frame_bytes) == (20, 10, 2**20)
    assert (found.feed.stage, found.feed.topic.name) == ("connect interactions", "cxone.raw.interactions")


@pytest.mark.parametrize("name", ["received_total", "published_total", "in_flight"])
def test_figures_keep_their_names(name: str) -> None:
    assert REGISTRY.get_sample_value(f"cxone_interactions_{name}") is not None
