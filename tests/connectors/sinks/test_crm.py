"""The CRM over loopback HTTP, and the fake that stands for it."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer, unused_port

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.http.exchange import LONGEST_BODY
from connectors.settings import CrmSettings
from connectors.sinks.crm import Crm, HttpCrm, Row
from tests.support.crm_contract import CrmContract, row
from tests.support.fakes import RecordingCrm

TOKEN = "tok-0123456789"
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def posting_to(url: str, *, token: str | None = TOKEN, seconds: float = 10.0) -> AsyncIterator[HttpCrm]:
    crm = HttpCrm(CrmSettings.model_validate({"url": url, "token": token, "timeout": seconds}), now=lambda: NOW)
    try:
        yield crm
    finally:
        await crm.close()


@asynccontextmanager
async def answered_by(handler: Handler, *, token: str | None = TOKEN, seconds: float = 10.0) -> AsyncIterator[HttpCrm]:
    async with (
        RawTestServer(handler) as server,
        posting_to(str(server.make_url("/messages")), token=token, seconds=seconds) as crm,
    ):
        yield crm


class HttpWorld:
    """A small CRM that honours keys."""

    crm: Crm

    def __init__(self) -> None:
        self._taken: dict[str, list[Row]] = {}
        self._bad: set[str] = set()
        self._status = 0

    def taken(self) -> list[Row]:
        return [row for rows in self._taken.values() for row in rows]

    def refuse(self, external_id: str) -> None:
        self._bad.add(external_id)

    def fail(self, error: type[SinkError] | None) -> None:
        self._status = 0 if error is None else 503 if error is Unavailable else 401

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        rows = orjson.loads(await request.read())
        if self._status:
            return web.Response(status=self._status)
        if bad := [row["external_id"] for row in rows if row["external_id"] in self._bad]:
            return web.json_response({"unknown": bad}, status=422)
        self._taken.setdefault(request.headers["Idempotency-Key"], rows)
        return web.Response(status=204)


class TestHttpCrm(CrmContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[HttpWorld]:
        world = HttpWorld()
        async with answered_by(world.answer) as crm:
            world.crm = crm
            yield world


class RecordingWorld:
    def __init__(self) -> None:
        self.crm = RecordingCrm()

    def taken(self) -> list[Row]:
        return self.crm.taken

    def refuse(self, external_id: str) -> None:
        self.crm.bad.add(external_id)

    def fail(self, error: type[SinkError] | None) -> None:
        self.crm.away = None if error is None else error("no")


class TestRecordingCrm(CrmContract):
    @pytest.fixture
    def world(self) -> RecordingWorld:
        return RecordingWorld()


async def answer(response: web.Response) -> str | None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return response

    async with answered_by(handler) as crm:
        return await crm.post([row("a")], "k")


async def error_of(response: web.Response) -> SinkError:
    with pytest.raises(SinkError) as caught:
        await answer(response)
    return caught.value


@pytest.mark.parametrize("token", [TOKEN, None])
async def test_a_request_is_what_the_crm_expects(token: str | None) -> None:
    seen: list[tuple[str, str, str | None, str, str, bytes]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        found = headers.get("Authorization"), headers["Content-Type"], headers["Idempotency-Key"]
        seen.append((request.method, request.path, *found, await request.read()))
        return web.Response(status=201)

    async with answered_by(handler, token=token) as crm:
        assert await crm.post([row("a")], "key-1") is None

    body = b'[{"external_id":"a","fingerprint":null,"last_message":"hello","queued_at":"2026-11-21T09:00:00.000Z"}]'
    bearer = f"Bearer {token}" if token else None
    assert seen == [("POST", "/messages", bearer, "application/json", "key-1", body)]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_success_is_success(status: int) -> None:
    assert await answer(web.Response(status=status)) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (207, []),
        (207, [{"status": 201}, {"status": 422}]),
        (200, {"errors": ["row 1: no such field"]}),
        (200, {"taken": 4, "failed": 1}),
        (200, {"success": False}),
        (200, [{"success": True}, {"success": False}]),
        (202, {"results": [{"status": "ok"}, {"status": "failed"}]}),
    ],
)
async def test_a_success_of_some_is_a_refusal(status: int, body: object) -> None:
    words = await answer(web.json_response(body, status=status))

    assert words is not None
    assert words.startswith(f"{status} ")


async def test_a_success_too_long_to_be_read_whole_counts_for_a_single_message() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=orjson.dumps({"rows": "x" * LONGEST_BODY, "failed": 2}))

    async with answered_by(handler) as crm:
        assert await crm.post([row("a"), row("b")], "k") is not None
        assert await crm.post([row("a")], "k") is None


@pytest.mark.parametrize("written", [r"crm\/tok+en==", "crm%2Ftok%2Ben%3D%3D", "Y3JtL3Rvaytlbj09"])
async def test_the_token_is_hidden_in_other_spellings(written: str) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=422, text=f'{{"message": "{written}"}}')

    async with answered_by(echo, token="crm/tok+en==") as crm:
        words = await crm.post([row("a")], "k")

    assert words == '422 {"message": "***"}'


@pytest.mark.parametrize("status", [400, 402, 410, 413, 415, 422, 499])
async def test_a_batch_that_is_refused_as_bad_comes_back_with_the_crms_words(status: int) -> None:
    assert await answer(web.Response(status=status, text="row 1: no such field")) == f"{status} row 1: no such field"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 599])
async def test_a_crm_that_cannot_take_it_now_is_unavailable(status: int) -> None:
    error = await error_of(web.Response(status=status, text="what the guest wrote"))

    assert isinstance(error, Unavailable)
    assert str(error) == f"the CRM answered {status}"
    assert error.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0)])
async def test_retry_after_is_passed_on(status: int, header: str, seconds: float) -> None:
    error = await error_of(web.Response(status=status, headers={"Retry-After": header}))

    assert isinstance(error, Unavailable)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "CRM_TOKEN"), (403, "CRM_TOKEN"), (404, "CRM_URL"), (405, "CRM_URL"), (302, "CRM_URL"), (407, "proxy")],
)
async def test_what_a_person_must_change_names_what_to_look_at(status: int, advice: str) -> None:
    error = await error_of(web.Response(status=status, headers={"Location": "/login"}))

    assert isinstance(error, Misconfigured)
    assert str(error).startswith(f"the CRM answered {status}. ")
    assert advice in str(error)


async def test_nobody_listening_is_unavailable() -> None:
    async with posting_to(f"http://127.0.0.1:{unused_port()}") as crm:
        with pytest.raises(Unavailable, match=r"did not answer \(ClientConnectorError: Connection refused\)"):
            await crm.post([row("a")], "k")


async def test_an_answer_that_takes_too_long_as_a_whole_is_unavailable() -> None:
    done = asyncio.Event()

    async def dripping(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not done.is_set():
            await response.write(b".")
            await asyncio.sleep(0.001)
        return response

    async with answered_by(dripping, seconds=0.05) as crm:
        with pytest.raises(Unavailable, match=r"within 0.05 s"):
            await crm.post([row("a")], "k")
        done.set()


async def test_a_connection_that_breaks_is_unavailable() -> None:
    async def breaking(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with answered_by(breaking) as crm:
        with pytest.raises(Unavailable, match="did not answer"):
            await crm.post([row("a")], "k")


async def test_connections_are_kept() -> None:
    connections: set[object] = set()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        connections.add(request.transport)
        return web.Response(status=422)

    async with answered_by(handler) as crm:
        for number in range(5):
            await crm.post([row("a")], f"k-{number}")

    assert len(connections) == 1


@pytest.mark.parametrize("status", [401, 422, 500])
async def test_the_token_is_never_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=str(dict(request.headers)), status=status)  # as proxies' debug pages do

    caplog.set_level(logging.INFO)
    async with answered_by(echo) as crm:
        try:
            told = await crm.post([row("a")], "k")
            assert told is not None
            assert "Bearer ***" in told
        except SinkError as error:
            trace = traceback.TracebackException.from_exception(error, capture_locals=True)
            told = "".join(trace.format()) + repr(error.__context__)

    assert TOKEN not in told + repr(crm) + caplog.text


async def test_a_long_answer_is_cut_in_the_middle() -> None:
    words = await answer(web.Response(status=400, text=f"begin {'x' * 100_000} end"))

    assert words is not None
    assert len(words) < 520
    assert words.startswith("400 begin")
    assert words.endswith(" end")
