"""One token for everybody, renewed early, and refusals that say what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from connectors.cxone.dialect import load
from connectors.cxone.oauth import Credentials, Token, TokenSource
from connectors.errors import AuthorizationError
from connectors.http.exchange import Exchange

SECRET = "cl1ent&s3cret=+"
CREDENTIALS = Credentials(
    token_url="https://acme.example/oauth/token",
    client_id="client",
    client_secret=SecretStr(SECRET),
    scope="view:interaction read:interaction",
    renew_before=120,
)
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


class Clock:
    """Time that passes only in `sleep`, or by hand."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """Gives the answers in turn, then tokens t1, t2, ..."""

    def __init__(self, *answers: httpx.Response | Exception, expires_in: object = 3600) -> None:
        self.answers = list(answers)
        self.expires_in = expires_in
        self.requests: list[httpx.Request] = []
        self.given = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        if not self.answers:
            self.given += 1
            return httpx.Response(200, json={"access_token": f"t{self.given}", "expires_in": self.expires_in})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def source(server: Server, clock: Clock) -> AsyncIterator[TokenSource]:
    tokens = TokenSource(CREDENTIALS, asking(server, clock), now=clock, sleep=clock.sleep)
    yield tokens
    await tokens.close()


def asking(server: Server, clock: Clock) -> Exchange:
    return Exchange("the token server", httpx.MockTransport(server), timeout=60, now=clock)


def value(token: Token) -> str:
    return token.value.get_secret_value()


async def test_credentials_go_as_a_form() -> None:
    server = Server()

    async with source(server, Clock()) as tokens:
        token = await tokens.token()

    (request,) = server.requests
    assert value(token) == "t1"
    assert (request.method, str(request.url)) == ("POST", "https://acme.example/oauth/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client"],
        "client_secret": [SECRET],
        "scope": ["view:interaction read:interaction"],
    }


async def test_a_thousand_users_make_one_call() -> None:
    server = Server()

    async with source(server, Clock()) as tokens:
        given = await asyncio.gather(*(tokens.token() for _ in range(1000)))

    assert len(server.requests) == 1
    assert {value(token) for token in given} == {"t1"}


async def test_a_refusal_reaches_all_who_wait_after_one_call() -> None:
    server = Server(httpx.Response(401))

    async with source(server, Clock()) as tokens:
        outcomes = await asyncio.gather(*(tokens.token() for _ in range(1000)), return_exceptions=True)

    assert len(server.requests) == 1
    assert all(isinstance(outcome, AuthorizationError) for outcome in outcomes)


async def test_a_caller_that_gives_up_takes_nobody_s_token() -> None:
    server = Server()

    async with source(server, Clock()) as tokens:
        impatient, patient = asyncio.create_task(tokens.token()), asyncio.create_task(tokens.token())
        await asyncio.sleep(0)
        impatient.cancel()

        assert value(await patient) == "t1"
    assert impatient.cancelled()
    assert len(server.requests) == 1


async def test_a_token_is_renewed_two_minutes_before_it_expires() -> None:
    server, clock = Server(), Clock()

    async with source(server, clock) as tokens:
        first = await tokens.token()
        clock.now = NOW + 3600 - 120.001
        second = await tokens.token()
        clock.now = NOW + 3600 - 120
        third = await tokens.token()

    assert [value(token) for token in (first, second, third)] == ["t1", "t1", "t2"]
    assert third.renew_at == clock.now + 3600 - 120


@pytest.mark.parametrize(
    ("expires_in", "used_for"),
    [
        (3600, 3480),
        ("3600", 3480),
        (3600.5, 3480.5),
        (200, 100),
        (10, 5),
        (0.1, 1),
        (10**30, 86_400 - 120),
        (0, 180),
        (-5, 180),
        (None, 180),
        (True, 180),
        ("soon", 180),
        ("nan", 180),
        ([], 180),
        (10**400, 180),
    ],
)
async def test_any_lifetime_leads_to_a_sane_renewal(expires_in: object, used_for: float) -> None:
    async with source(Server(expires_in=expires_in), Clock()) as tokens:
        token = await tokens.token()

    assert token.renew_at - NOW == pytest.approx(used_for)


async def test_a_refused_token_is_replaced_once() -> None:
    server = Server()

    async with source(server, Clock()) as tokens:
        first = await tokens.token()
        tokens.refused(first)
        second = await tokens.token()
        tokens.refused(first)  # a second user comes late with the same news
        third = await tokens.token()

    assert [value(token) for token in (first, second, third)] == ["t1", "t2", "t2"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401), ["credentials or the scope (401)", "CXONE_CLIENT_SECRET", "read:interaction"]),
        (httpx.Response(400, json={"error": "invalid_client"}), ["credentials or the scope (400)"]),
        (httpx.Response(403), ["scope (403)", "view:interaction and read:interaction"]),
        (httpx.Response(403, json={"scope": "read:interaction"}), ["needs read:interaction."]),
        (
            httpx.Response(403, headers={"WWW-Authenticate": 'Bearer error="x", scope="view:interaction"'}),
            ["needs view:interaction."],
        ),
        (httpx.Response(404), ["answered 404", "token URL"]),
        (httpx.Response(302, headers={"location": "https://elsewhere.example"}), ["answered 302", "token URL"]),
    ],
)
async def test_a_refusal_says_what_to_do(answer: httpx.Response, words: list[str]) -> None:
    async with source(Server(answer), Clock()) as tokens:
        with pytest.raises(AuthorizationError) as refused:
            await tokens.token()

    for word in words:
        assert word in str(refused.value)
    assert SECRET not in str(refused.value)


async def test_a_token_with_less_than_was_asked_for_is_refused_by_name() -> None:
    granted = {"access_token": "t0", "scope": "openid read:interactions view:interaction"}

    async with source(Server(httpx.Response(200, json=granted)), Clock()) as tokens:
        with pytest.raises(AuthorizationError) as refused:
            await tokens.token()

    assert str(refused.value).startswith("CXone gave a token without read:interaction: ")
    assert "openid" not in str(refused.value)
    assert "t0" not in str(refused.value)


async def test_every_renewal_is_held_to_the_scope() -> None:
    server = Server(httpx.Response(200, json={"access_token": "t0", "scope": "view:interaction", "expires_in": 60}))

    async with source(server, clock := Clock()) as tokens:
        with pytest.raises(AuthorizationError, match="without read:interaction:"):
            await tokens.token()
        token = await tokens.token()  # somebody has mended it
        clock.now = token.renew_at
        server.answers = [httpx.Response(200, json={"access_token": "t0", "scope": "other"})]
        with pytest.raises(AuthorizationError, match="without view:interaction and read:interaction:"):
            await tokens.token()


@pytest.mark.parametrize(
    "scope", ["read:interaction  view:interaction", "view:interaction other read:interaction", "", " ", None, ["x"], 1]
)
async def test_a_scope_that_is_enough_or_untold_is_accepted(scope: object) -> None:
    answer = httpx.Response(200, json={"access_token": "t0", "scope": scope})

    async with source(Server(answer), Clock()) as tokens:
        assert value(await tokens.token()) == "t0"


async def test_an_hour_long_token_of_web_messaging_is_renewed_five_minutes_early() -> None:
    oauth = load("v2").messaging.oauth
    server, clock = Server(), Clock()
    credentials = replace(CREDENTIALS, scope=oauth.scope, renew_before=oauth.renew_before)

    token = await TokenSource(credentials, asking(server, clock), now=clock, sleep=clock.sleep).token()

    assert token.renew_at == NOW + 3600 - 300
    assert parse_qs(server.requests[0].content.decode())["scope"] == [
        "webchat:read routing:write conversations:read users:read"
    ]


@pytest.mark.parametrize(
    ("header", "waited"),
    [("7", 7.0), ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0), ("86400", 300.0)],
)
async def test_too_many_requests_waits_as_long_as_told(header: str, waited: float) -> None:
    clock = Clock()

    async with source(Server(httpx.Response(429, headers={"Retry-After": header})), clock) as tokens:
        token = await tokens.token()

    assert value(token) == "t1"
    assert clock.slept == [waited]


@pytest.mark.parametrize(
    "failure",
    [
        lambda: httpx.Response(500),
        lambda: httpx.Response(503, headers={"Retry-After": "7"}),
        lambda: httpx.Response(429, headers={"Retry-After": "0"}),
        lambda: httpx.Response(408),
        lambda: httpx.Response(200, text="<html>"),
        lambda: httpx.Response(200, json=["t"]),
        lambda: httpx.Response(200, json={"access_token": ""}),
        lambda: httpx.Response(200, json={"access_token": "abc\r\nX-Evil: 1"}),
        lambda: httpx.Response(200, json={"access_token": "t\u00f6k\u00e9n"}),
        lambda: httpx.Response(200, content=b'{"access_token": "a\\ud800b"}'),
        lambda: httpx.Response(200, json={"access_token": "a\0b"}),
        lambda: httpx.Response(200, json={"access_token": "a b"}),
        lambda: httpx.Response(200, json={"access_token": "t" * 5000}),
        lambda: httpx.Response(200, content=b'{"a":' + b"[" * 60_000 + b"]" * 60_000 + b"}"),
        lambda: httpx.Response(200, content=b'{"access_token": "t", "expires_in": ' + b"9" * 5000 + b"}"),
        lambda: httpx.Response(200, headers={"content-type": "application/json; charset=zlib"}, content=b"x"),
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.ReadTimeout("slow"),
        lambda: httpx.DecodingError("no gzip"),
    ],
)
async def test_trouble_is_waited_out_with_growing_jitter(failure: Callable[[], httpx.Response | Exception]) -> None:
    clock = Clock()
    server = Server(*(failure() for _ in range(8)))

    async with source(server, clock) as tokens:
        token = await tokens.token()

    assert value(token) == "t1"
    assert len(clock.slept) == 8
    for waited, ceiling in zip(clock.slept, [1, 2, 4, 8, 15, 15, 15, 15], strict=True):
        assert 0 < waited <= ceiling


async def test_closing_ends_a_renewal_that_would_go_on_for_ever() -> None:
    async with source(Server(*(httpx.Response(500) for _ in range(1000))), Clock()) as tokens:
        waiting = asyncio.create_task(tokens.token())
        await asyncio.sleep(0)
        await tokens.close()

        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_nothing_that_is_logged_or_shown_holds_a_secret() -> None:
    server = Server(httpx.ConnectError(f"refused {SECRET}"), httpx.Response(500, text=SECRET))

    with capture_logs() as lines:
        async with source(server, Clock()) as tokens:
            token = await tokens.token()

    assert len(lines) == 2
    assert SECRET not in f"{lines}{token!r}{CREDENTIALS!r}{tokens!r}"
    assert "t1" not in f"{lines}{token!r}{tokens!r}"
