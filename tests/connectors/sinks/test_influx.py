"""What `InfluxWriter` makes of answers that a healthy influxd does not give (for the others see tests/influxd)."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer, unused_port
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.settings import InfluxSettings
from connectors.sinks.influx import InfluxWriter, Refusal

TOKEN = "tok-0123456789"
LINES = [f"m,campaign_id=c{i} v=1 1795251600" for i in range(4)]
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def writing_to(url: str, seconds: float = 10.0) -> AsyncIterator[InfluxWriter]:
    settings = {"url": url, "token": TOKEN, "org": "org", "bucket": "bucket", "timeout": seconds}
    writer = InfluxWriter(InfluxSettings.model_validate(settings), now=lambda: NOW)
    yield writer
    await writer.close()


@asynccontextmanager
async def answered_by(handler: Handler, seconds: float = 10.0) -> AsyncIterator[InfluxWriter]:
    async with RawTestServer(handler) as server, writing_to(str(server.make_url("/")), seconds) as writer:
        yield writer


async def error_of(answer: web.Response) -> SinkError:
    requests = count()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        next(requests)
        return answer

    async with answered_by(handler) as writer:
        with pytest.raises(SinkError) as caught:
            await writer.write(LINES)
    assert next(requests) == 1  # trying again is not the client's business
    return caught.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507, 599])
async def test_an_influxdb_that_cannot_take_it_now_is_unavailable(status: int) -> None:
    error = await error_of(web.json_response({"message": "try later"}, status=status))

    assert isinstance(error, Unavailable)
    assert str(error) == f"InfluxDB answered {status}: try later"
    assert error.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0)])
async def test_retry_after_is_passed_on(status: int, header: str, seconds: float) -> None:
    error = await error_of(web.Response(status=status, headers={"Retry-After": header}))

    assert isinstance(error, Unavailable)
    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [200, 202, 302, 401, 403, 404, 405])
async def test_any_other_answer_needs_a_person(status: int) -> None:
    error = await error_of(web.Response(status=status, text="<html>Hello</html>", headers={"Location": "/login"}))

    assert isinstance(error, Misconfigured)
    assert str(status) in str(error)
    assert "INFLUX_" in str(error)


async def test_an_error_page_in_another_encoding_is_unavailable() -> None:
    assert isinstance(await error_of(web.Response(status=502, body="überlastet".encode("latin-1"))), Unavailable)


async def test_nobody_listening_is_unavailable() -> None:
    async with writing_to(f"http://127.0.0.1:{unused_port()}") as writer:
        with pytest.raises(Unavailable, match=r"did not answer.*refused"):
            await writer.write(LINES)


async def test_a_server_without_tls_is_unavailable() -> None:
    async def never(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    async with RawTestServer(never) as server, writing_to(str(server.make_url("/")).replace("http", "https")) as writer:
        with pytest.raises(Unavailable, match="SSL"):
            await writer.write(LINES)


async def test_silence_is_unavailable() -> None:
    done = asyncio.Event()

    async def silent(request: web.BaseRequest) -> web.StreamResponse:
        await done.wait()
        return web.Response(status=204)

    async with answered_by(silent, seconds=0.02) as writer:
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable, match=r"within 0\.02 s"):
                await writer.write(LINES)
        done.set()


async def test_a_connection_that_breaks_is_unavailable() -> None:
    async def breaking(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with answered_by(breaking) as writer:
        with pytest.raises(Unavailable, match="did not answer"):
            await writer.write(LINES)


async def test_a_request_is_what_influxdb_expects() -> None:
    seen: list[tuple[str, str, dict[str, str], str, bytes]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        encoding = headers["Content-Encoding"]
        body = await request.read()  # aiohttp undoes the encoding
        seen.append((request.path, encoding, dict(request.query), headers["Authorization"], body))
        return web.Response(status=204)

    async with answered_by(handler) as writer:
        assert await writer.write([*LINES[:2], "m,campaign_id=é v=1 1"]) == []

    body = f"{LINES[0]}\n{LINES[1]}\nm,campaign_id=é v=1 1".encode()
    query = {"org": "org", "bucket": "bucket", "precision": "s"}
    assert seen == [("/api/v2/write", "gzip", query, f"Token {TOKEN}", body)]


@given(st.integers(1, 40), st.integers(1, 5))
def test_a_body_too_large_is_written_in_parts(lines: int, most: int) -> None:
    async def scenario() -> None:
        taken: list[str] = []

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            got = (await request.text()).split("\n")
            if len(got) > most:
                return web.Response(status=413)
            taken.extend(got)
            return web.Response(status=204)

        async with answered_by(handler) as writer:
            assert await writer.write([f"line-{i}" for i in range(lines)]) == []
        assert taken == [f"line-{i}" for i in range(lines)]

    asyncio.run(scenario())


async def test_a_line_too_large_by_itself_is_refused() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"message": "too large"}, status=413 if "c2" in await request.text() else 204)

    async with answered_by(handler) as writer:
        assert await writer.write(LINES) == [Refusal(2, "too large")]


async def test_an_outage_between_the_parts_is_unavailable_not_half_a_success() -> None:
    statuses = iter([400, 204, 503])

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=next(statuses))

    async with answered_by(handler) as writer:
        with pytest.raises(Unavailable, match="503"):
            await writer.write(LINES)


async def test_a_batch_refused_as_a_whole_costs_one_request() -> None:
    requests = count()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        next(requests)
        return web.json_response({"message": "partial write: field type conflict dropped=4"}, status=422)

    async with answered_by(handler) as writer:
        assert [refusal.index for refusal in await writer.write(LINES)] == [0, 1, 2, 3]
    assert next(requests) == 1


async def test_a_campaign_that_is_called_like_influxdbs_words_does_not_mislead() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        bad = "c2" in await request.text()
        words = "oldest point m,campaign_id=a dropped=4 at 2026, newest point m,campaign_id=b at 2026 dropped=1"
        return web.json_response({"message": words}, status=422 if bad else 204)

    async with answered_by(handler) as writer:
        assert [refusal.index for refusal in await writer.write(LINES)] == [2]


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_the_token_is_never_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"message": str(dict(request.headers))}, status=status)  # as proxies' debug pages do

    caplog.set_level(logging.DEBUG)
    told = ""
    async with answered_by(echo) as writer:
        try:
            told = repr((await writer.write(LINES))[0])
        except SinkError as error:
            trace = traceback.TracebackException.from_exception(error, capture_locals=True)
            told = "".join(trace.format()) + repr(error.__context__)

    assert "Token ***" in told
    assert TOKEN not in told + repr(writer) + caplog.text


async def test_a_long_answer_is_cut_in_the_middle() -> None:
    error = await error_of(web.json_response({"message": f"begin {'x' * 100_000} end"}, status=500))

    assert len(str(error)) < 2100
    assert "begin" in str(error)
    assert str(error).endswith(" end")
