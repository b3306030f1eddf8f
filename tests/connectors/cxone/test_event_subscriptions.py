"""What CXone says to event subscriptions, and what becomes of it."""

from collections.abc import Callable

import httpx
import orjson
import pytest
from pydantic import SecretStr

from connectors.cxone.event_subscriptions import EventSubscriptions, Wanted
from connectors.cxone.oauth import Token
from connectors.errors import AuthorizationError, SubscriptionRefused, Unavailable
from connectors.http.exchange import LONGEST_BODY, Exchange
from tests.support.sockets import Tokens

WANTED = Wanted(
    url="https://api.example/eventsub",
    request={"subscriptionName": "n"},
    id=(("subscriptionId",), ("id",)),
    message=(("message",),),
)
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler, tokens: Tokens | None = None) -> EventSubscriptions:
    exchange = Exchange("CXone", httpx.MockTransport(handler), timeout=60, now=lambda: 0.0)
    return EventSubscriptions(WANTED, exchange, tokens or Tokens())


def answers(*responses: httpx.Response) -> tuple[Handler, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return responses[min(len(asked), len(responses)) - 1]

    return handler, asked


@pytest.mark.parametrize("body", [{"subscriptionId": "s/1"}, {"id": "s/1"}])
async def test_a_subscription_is_asked_for_with_the_token(body: dict[str, str]) -> None:
    handler, asked = answers(httpx.Response(201, json=body))

    assert await api(handler).create() == "s/1"

    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", WANTED.url)
    assert request.headers["Authorization"] == "Bearer token-1"
    assert orjson.loads(request.content) == WANTED.request


@pytest.mark.parametrize(
    ("status", "exists"), [(200, True), (404, False), (410, False), (405, True), (400, True), (302, True)]
)
async def test_what_cxone_has_forgotten_is_told_from_what_cannot_be_asked(status: int, exists: bool) -> None:
    handler, asked = answers(httpx.Response(status))

    assert await api(handler).exists("s/1") == exists

    assert asked[0].url.raw_path == b"/eventsub/s%2F1"


async def test_a_subscription_is_deleted() -> None:
    handler, asked = answers(httpx.Response(404))

    await api(handler).delete("s")

    assert asked[0].method == "DELETE"


async def test_a_refused_token_is_replaced_once() -> None:
    handler, asked = answers(httpx.Response(401), httpx.Response(201, json={"id": "s"}))
    tokens = Tokens()

    assert await api(handler, tokens).create() == "s"

    assert [request.headers["Authorization"] for request in asked] == ["Bearer token-1", "Bearer token-2"]
    assert tokens.refused_tokens == ["token-1"]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, AuthorizationError, "CXONE_CLIENT_SECRET. 'no metrics.mood'"),
        (403, AuthorizationError, "needs events:subscribe. 'no metrics.mood'"),
        (422, SubscriptionRefused, "(422): 'no metrics.mood'"),
        (400, SubscriptionRefused, "(400): 'no metrics.mood'"),
        (404, SubscriptionRefused, "CXONE_ANALYTICS_API_URL"),
        (302, SubscriptionRefused, "(302)"),
    ],
)
async def test_a_refusal_says_why(status: int, error: type[Exception], words: str) -> None:
    handler, _ = answers(httpx.Response(status, json={"message": "no\nmetrics.mood"}))

    with pytest.raises(error) as refused:
        await api(handler).create()

    assert words in str(refused.value)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_what_may_be_another_the_next_time_is_tried_again(status: int) -> None:
    handler, _ = answers(httpx.Response(status, headers={"Retry-After": "7"}))

    with pytest.raises(Unavailable) as away:
        await api(handler).create()

    assert away.value.retry_after == 7


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": null}', b"{" + b" " * LONGEST_BODY + b"}"])
async def test_an_answer_without_an_id_is_tried_again(body: bytes) -> None:
    handler, _ = answers(httpx.Response(201, content=body))

    with pytest.raises(Unavailable, match="without an id"):
        await api(handler).create()


async def test_no_answer_is_tried_again_and_shows_no_token() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"with {request.headers['Authorization']}")

    with pytest.raises(Unavailable) as away:
        await api(handler).create()

    assert "token-1" not in str(away.value)
    assert away.value.__context__ is None


async def test_words_that_repeat_the_token_are_hidden() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"message": f"bad {request.headers['Authorization']}" + "x" * 1000})

    class Secret(Tokens):
        async def token(self) -> Token:
            return Token(SecretStr("s3cr3t-token-value"), 1e12)

    with pytest.raises(SubscriptionRefused) as refused:
        await api(handler, Secret()).create()

    assert "s3cr3t" not in str(refused.value)
    assert len(str(refused.value)) < 800
