"""Calls to CXone's API: tokens, Retry-After, idempotency keys, and what ends a call without an answer."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from connectors.cxone.oauth import Credentials, TokenSource
from connectors.cxone.rest import LONGEST_BODY, RestClient
from connectors.errors import Unavailable
from connectors.http.exchange import Answer, Exchange

URL = "https://cxone.test/api/v2/routing/conversations"
CREDENTIALS = Credentials(
    token_url="https://cxone.test/oauth/v2/token",
    client_id="id",
    client_secret=SecretStr("s3cret"),
    scope="routing:write",
    renew_before=300,
)


class Cxone:
    """Gives tokens t1, t2, ... and answers calls with `answers`, the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[httpx.Request] = []
        self.tokens = 0
        self.refuses_credentials = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            if self.refuses_credentials:
                return httpx.Response(401)
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 3600})
        self.calls.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Rig:
    """A client on `cxone`, whose clock moves when it pauses."""

    def __init__(self, cxone: Cxone) -> None:
        self.cxone, self.time, self.pauses = cxone, 1000.0, list[float]()
        self.troubles: list[str | None] = []
        transport = httpx.MockTransport(cxone)
        exchange = Exchange("CXone", transport, timeout=60, now=self.now)
        self.rest = RestClient(
            exchange,
            TokenSource(CREDENTIALS, exchange, now=self.now),
            pause=self.pause,
            on_trouble=self.troubles.append,
            clock=self.now,
        )

    def now(self) -> float:
        return self.time

    async def pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.time += seconds
        await asyncio.sleep(0)

    async def post(self) -> Answer:
        return await self.rest.post(URL, b"{}", key="3-17")


def bearer(call: httpx.Request) -> str:
    return call.headers["authorization"]


async def test_a_call_carries_its_token_and_its_idempotency_key() -> None:
    rig = Rig(Cxone(httpx.Response(201, json={"id": "r1"})))

    answer = await rig.post()

    (call,) = rig.cxone.calls
    assert (answer.status, answer.body) == (201, b'{"id":"r1"}')
    assert (call.method, str(call.url), call.content) == ("POST", URL, b"{}")
    assert bearer(call) == "Bearer t1"
    assert call.headers["idempotency-key"] == "3-17"
    assert call.headers["content-type"] == "application/json"


async def test_an_answer_is_shown_without_its_body() -> None:
    assert "secret" not in repr(Answer(201, b"secret"))


async def test_a_token_in_the_answer_is_hidden() -> None:
    rig = Rig(Cxone(httpx.Response(502, content=b"502 for POST / authorization: Bearer t1, again: t1.")))

    assert (await rig.post()).body == b"502 for POST / authorization: Bearer ***, again: ***."


async def test_a_renewed_token_in_the_answer_is_hidden() -> None:
    rig = Rig(Cxone(httpx.Response(401), httpx.Response(502, content=b"Bearer t2")))

    assert (await rig.post()).body == b"Bearer ***"


async def test_a_token_where_a_long_answer_is_cut_leaves_no_beginning() -> None:
    rig = Rig(Cxone(httpx.Response(502, content=b"." * (LONGEST_BODY - 1) + b"t1")))

    assert (await rig.post()).body == b"." * (LONGEST_BODY - 1) + b"*"


async def test_a_refused_token_is_renewed_and_the_call_repeated_once() -> None:
    rig = Rig(Cxone(httpx.Response(401), httpx.Response(201)))
    assert (await rig.post()).status == 201
    assert [bearer(call) for call in rig.cxone.calls] == ["Bearer t1", "Bearer t2"]

    rig = Rig(Cxone(httpx.Response(401)))
    assert (await rig.post()).status == 401
    assert len(rig.cxone.calls) == 2


@pytest.mark.parametrize("answered", ["7", "Thu, 01 Jan 1970 00:16:47 GMT"])
async def test_everything_waits_as_long_as_a_429_says(answered: str) -> None:
    rig = Rig(Cxone(httpx.Response(429, headers={"retry-after": answered}), httpx.Response(201)))

    first = asyncio.create_task(rig.post())
    while not rig.pauses:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert (await rig.post()).status == 201
    assert (await first).status == 201

    assert rig.time == 1007
    assert len(rig.cxone.calls) == 3


async def test_a_429_without_a_time_is_waited_out_with_growing_jitter() -> None:
    rig = Rig(Cxone(*[httpx.Response(429)] * 4, httpx.Response(201)))

    assert (await rig.post()).status == 201

    assert len(rig.cxone.calls) == 5
    assert len(rig.pauses) >= 4
    assert all(pause <= ceiling for pause, ceiling in zip(rig.pauses, (1, 2, 4, 8), strict=False))


async def test_what_pausing_raises_ends_the_call() -> None:
    rig = Rig(Cxone(httpx.Response(429, headers={"retry-after": "5"})))

    async def withdraw(_: float) -> None:
        raise InterruptedError

    rig.rest._pause = withdraw

    with pytest.raises(InterruptedError):
        await rig.post()


@pytest.mark.parametrize("failure", [httpx.ConnectError("secret"), httpx.ReadTimeout("secret"), httpx.ReadError("x")])
async def test_no_answer_says_what_happened_and_nothing_else(failure: Exception) -> None:
    rig = Rig(Cxone(failure))

    with pytest.raises(Unavailable, match=type(failure).__name__) as raised:
        await rig.post()

    assert "secret" not in str(raised.value)


async def test_a_call_takes_no_longer_than_allowed() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            return httpx.Response(200, json={"access_token": "t1"})
        await asyncio.sleep(3600)
        raise AssertionError

    exchange = Exchange("CXone", httpx.MockTransport(never), timeout=0.01)
    rest = RestClient(exchange, TokenSource(CREDENTIALS, exchange))

    with pytest.raises(Unavailable, match=r"CXone did not answer within 0\.01 s"):
        await rest.post(URL, b"{}", key="k")
    await rest.close()


class HungTokenServer:
    """Gives no token until `well`."""

    def __init__(self) -> None:
        self.well = asyncio.Event()
        self.troubles: list[str | None] = []
        self.looks = 0
        exchange = Exchange("CXone", httpx.MockTransport(self), timeout=60)
        self.rest = RestClient(
            exchange,
            TokenSource(CREDENTIALS, exchange),
            pause=self.pause,
            patience=0.001,
            on_trouble=self.troubles.append,
        )

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            await self.well.wait()
            return httpx.Response(200, json={"access_token": "t1"})
        return httpx.Response(201)

    async def pause(self, seconds: float) -> None:
        assert seconds == 0
        self.looks += 1
        if self.looks == 3:
            self.well.set()


async def test_a_hung_token_server_costs_no_attempt() -> None:
    server = HungTokenServer()

    answers = await asyncio.gather(*(server.rest.post(URL, b"{}", key=f"{number}") for number in range(3)))

    assert [answer.status for answer in answers] == [201] * 3
    assert "token server" in (server.troubles[0] or "")
    assert server.troubles[-1] is None


async def test_who_waits_for_a_token_gives_up_when_pausing_says_so() -> None:
    server = HungTokenServer()

    async def withdraw(_: float) -> None:
        raise InterruptedError

    server.rest._pause = withdraw
    with pytest.raises(InterruptedError):
        await server.rest.post(URL, b"{}", key="k")
    await server.rest.close()


@pytest.mark.parametrize("written", [r"AbC\/dEf+gH1=", "AbC%2FdEf%2BgH1%3D", "QWJDL2RFZitnSDE9", r"AbC/dEf+gH1\u003d"])
async def test_a_token_is_hidden_before_the_body_is_parsed(written: str) -> None:
    async def echo(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            return httpx.Response(200, json={"access_token": "AbC/dEf+gH1="})
        return httpx.Response(400, content=f'{{"message": "Bearer {written} is bad"}}'.encode())

    exchange = Exchange("CXone", httpx.MockTransport(echo), timeout=60)
    answer = await RestClient(exchange, TokenSource(CREDENTIALS, exchange)).post(URL, b"{}", key="k")

    assert answer.object() == {"message": "Bearer *** is bad"}


async def test_refused_credentials_are_told_and_waited_for() -> None:
    rig = Rig(Cxone(httpx.Response(201)))
    rig.cxone.refuses_credentials = True

    async def pause(seconds: float) -> None:
        rig.time += seconds
        rig.cxone.refuses_credentials = False

    rig.rest._pause = pause
    answer = await rig.post()

    assert answer.status == 201
    assert "CXONE_CLIENT_ID" in (rig.troubles[0] or "")
    assert rig.troubles[-1] is None
    assert rig.time == 1015


async def test_any_status_but_429_is_an_answer() -> None:
    for status in (200, 400, 403, 404, 500, 503):
        assert (await Rig(Cxone(httpx.Response(status))).post()).status == status


async def test_a_document_comes_whole_and_as_it_is_with_its_etag() -> None:
    document = b'{"note":"Bearer t1' + b"." * LONGEST_BODY + b'"}'
    rig = Rig(Cxone(httpx.Response(200, content=document, headers={"etag": '"7"', "content-encoding": "br"})))

    answer = await rig.rest.ask("PUT", URL, headers={"If-Match": '"6"'}, body=b"{}")

    (call,) = rig.cxone.calls
    assert (call.method, call.headers["if-match"]) == ("PUT", '"6"')
    assert (answer.body, answer.etag, answer.encoding) == (document, '"7"', "br")


async def test_what_is_no_document_is_shown_without_the_token() -> None:
    rig = Rig(Cxone(httpx.Response(502, content=b"Bearer t1")))

    assert (await rig.rest.ask("GET", URL)).body == b"Bearer ***"
