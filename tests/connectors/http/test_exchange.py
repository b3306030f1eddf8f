"""One HTTP exchange, and what hostile peers do to it."""

import asyncio
import contextlib
import gc
import gzip
import traceback
from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.errors import Unavailable
from connectors.http.exchange import LONGEST_BODY, Answer, Exchange
from connectors.http.transport import Transport
from tests.support.hostile_http import (
    Answering,
    Asked,
    HostilePeer,
    answering,
    dripping,
    endless,
    hostile,
    response,
    silent,
)

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
SECRET = "tok/en-0123456789"


@contextlib.asynccontextmanager
async def asking(answer: Answering, *, seconds: float = 10.0) -> AsyncIterator[tuple[Exchange, HostilePeer]]:
    async with hostile(answer) as peer:
        exchange = Exchange("the CRM", Transport(), timeout=seconds, now=lambda: NOW)
        yield exchange, peer
        await exchange.close()


async def answer_to(wire: bytes) -> Answer:
    async with asking(answering(wire)) as (exchange, peer):
        return await exchange.ask("GET", peer.url)


async def test_an_answer_is_its_status_and_its_body() -> None:
    async with asking(answering(response(b'{"a": 1}', status="201 Made"))) as (exchange, peer):
        answer = await exchange.ask("POST", f"{peer.url}/a?b=c", headers={"Authorization": "Bearer x"}, body=b"asked")

    (asked,) = peer.asked
    assert answer == Answer(201, b'{"a": 1}')
    assert answer.object() == {"a": 1}
    assert (asked.head.split("\r\n")[0], asked.body) == ("POST /a?b=c HTTP/1.1", b"asked")
    assert asked.header("accept-encoding") == "identity"
    assert asked.header("authorization") == "Bearer x"


async def test_a_deadline_counts_for_the_body_too() -> None:
    async with asking(dripping, seconds=0.05) as (exchange, peer):
        with pytest.raises(Unavailable, match=r"the CRM did not answer within 0\.05 s"):
            await exchange.ask("GET", peer.url)
        await asyncio.wait_for(peer.ended.acquire(), 60)  # the connection is cut, not left to drip on


async def test_a_deadline_counts_for_the_wait_for_a_connection() -> None:
    async with hostile(silent) as peer:
        transport = Transport(connections=1)
        taken = asyncio.create_task(Exchange("it", transport, timeout=60).ask("GET", peer.url))
        with pytest.raises(Unavailable, match="within"):
            await asyncio.wait_for(Exchange("it", transport, timeout=0.05).ask("GET", peer.url), 60)
        taken.cancel()
        await transport.aclose()

    assert peer.connections <= 1


async def test_a_peer_that_takes_no_request_holds_nobody_up() -> None:
    stay = asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stay.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    exchange = Exchange("it", Transport(), timeout=0.1)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(Unavailable, match="within"):
        await asyncio.wait_for(exchange.ask("POST", f"http://127.0.0.1:{port}", body=bytes(50_000_000)), 60)
    await exchange.close()
    stay.set()
    server.close()


async def test_an_answer_before_the_request_is_taken_holds_nobody_up() -> None:
    stay = asyncio.Event()

    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"no", status="413 no"))
        await stay.wait()
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    exchange = Exchange("it", Transport(), timeout=60)
    port = server.sockets[0].getsockname()[1]

    answer = await asyncio.wait_for(exchange.ask("POST", f"http://127.0.0.1:{port}", body=bytes(50_000_000)), 60)

    assert answer == Answer(413, b"no")
    await exchange.close()
    stay.set()
    server.close()


async def test_of_an_endless_body_a_mebibyte_is_read() -> None:
    async with asking(endless) as (exchange, peer):
        answer = await exchange.ask("GET", peer.url)
        await asyncio.wait_for(peer.ended.acquire(), 60)

    assert answer.status == 422
    assert len(answer.body) == LONGEST_BODY
    assert answer.cut


async def test_a_body_that_just_fits_is_whole_and_its_connection_is_kept() -> None:
    async with asking(answering(response(b"x" * LONGEST_BODY))) as (exchange, peer):
        answers = [await exchange.ask("GET", peer.url) for _ in range(3)]

    assert [(len(answer.body), answer.cut) for answer in answers] == [(LONGEST_BODY, False)] * 3
    assert peer.connections == 1


async def test_nothing_is_inflated() -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 22)))

    answer = await answer_to(response(bomb, "Content-Encoding: gzip, gzip"))

    assert answer.body == bomb
    assert answer.json() is None


async def test_no_cookie_is_kept_and_no_redirect_followed() -> None:
    cookies = [f"Set-Cookie: c{number}={'v' * 1000}; Path=/" for number in range(20)]
    async with asking(answering(response(b"", *cookies, "Location: /login", status="302 x"))) as (exchange, peer):
        answers = [await exchange.ask("GET", peer.url.replace("127.0.0.1", "localhost")) for _ in range(3)]

    assert [answer.status for answer in answers] == [302] * 3
    assert [asked.path for asked in peer.asked] == ["/"] * 3
    assert [asked.header("cookie") for asked in peer.asked] == [None] * 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 7"], 7.0),
        (["Retry-After: 0.000001"], 1.0),
        (["Retry-After: 999999"], 300.0),
        (["Retry-After: 3", "Retry-After: 5"], 5.0),
        (["Retry-After: soon", "Retry-After: 5"], 5.0),
        (["Retry-After: Tue, 14 Nov 2023 22:14:00 GMT"], 40.0),
        (["Retry-After: 0"], None),
        ([], None),
    ],
)
async def test_retry_after_is_bounded_and_may_come_twice(headers: list[str], seconds: float | None) -> None:
    assert (await answer_to(response(b"", *headers, status="503 x"))).retry_after == seconds


@pytest.mark.parametrize("charset", ["zlib", "hex", "rot13", "utf-16", "nonsense"])
async def test_a_charset_is_not_asked_for(charset: str) -> None:
    answer = await answer_to(response(b'{"a": "b"}', f"Content-Type: application/json; charset={charset}"))

    assert answer.object() == {"a": "b"}
    assert answer.words([], 100) == '{"a": "b"}'


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000 + b"]" * 60_000,
        b'{"a":' * 60_000,
        b"\xff\xfe{\x00",
        b'{"a":"\xff"}',
        b"[NaN]",
        b"[1]",
        b"",
    ],
)
async def test_a_body_that_is_no_object_is_an_empty_one(body: bytes) -> None:
    assert Answer(200, body).object() == {}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert Answer(200, b'\xef\xbb\xbf{"a":1}').object() == {"a": 1}


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX:\x00\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_no_answer(wire: bytes) -> None:
    async def answer(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()
        writer.close()

    async with asking(answer, seconds=5) as (exchange, peer):
        with contextlib.suppress(Unavailable):
            assert isinstance(await exchange.ask("GET", peer.url), Answer)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_none(junk: bytes, with_head: bool) -> None:
    wire = (b"HTTP/1.1 200 OK\r\n" if with_head else b"") + junk

    async def answer(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()
        writer.close()

    async def ask() -> None:
        async with asking(answer) as (exchange, peer):
            with contextlib.suppress(Unavailable):
                assert isinstance(await exchange.ask("GET", peer.url), Answer)

    asyncio.run(ask())


async def test_nobody_listening_is_no_answer() -> None:
    exchange = Exchange("InfluxDB", Transport(), timeout=60)

    with pytest.raises(Unavailable, match=r"InfluxDB did not answer \(ClientConnectorError: Connection refused\)"):
        await exchange.ask("GET", "http://127.0.0.1:9")
    await exchange.close()


@pytest.mark.parametrize(
    "wire",
    [
        response(b"", f"X: {'x' * 400_000}"),
        response(b"", *(f"X-{number}: x" for number in range(5000))),
        b"10000\r\n" + b"[" * 100_000,
        response(b"x" * 200_000)[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\nx",
    ],
    ids=["a long header", "many headers", "no HTTP", "cut", "a cut chunk"],
)
def test_what_an_exchange_that_failed_has_read_does_not_wait_for_the_garbage_collector(wire: bytes) -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()
        raise ConnectionResetError  # the peer's end

    async def ask() -> None:
        async with asking(answer) as (exchange, peer):
            with pytest.raises(Unavailable, match="Error"):
                await exchange.ask("GET", peer.url)
            await asyncio.wait_for(peer.ended.acquire(), 60)

    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as our programs do
            runner.run(ask())
        left = [each for each in gc.get_objects() if type(each) in {aiohttp.ClientResponse, aiohttp.StreamReader}]
    finally:
        gc.enable()

    assert left == []


@pytest.mark.parametrize("failure", [httpx.ReadError(SECRET), ValueError(SECRET), RecursionError(SECRET)])
async def test_an_error_leads_to_no_secret(failure: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    exchange = Exchange("it", httpx.MockTransport(fail), timeout=60)

    with pytest.raises(Unavailable) as raised:
        await exchange.ask("GET", "https://a.test/", headers={"Authorization": SECRET})

    told = "".join(traceback.TracebackException.from_exception(raised.value).format())
    assert str(raised.value) == f"it did not answer ({type(failure).__name__})"
    assert SECRET not in told
    assert raised.value.__context__ is None


def test_words_are_cut_hidden_and_on_one_line() -> None:
    answer = Answer(400, b"begin\r\n\x1b[2J Bearer tok\\/en-0123456789 \xff" + b"x" * 100_000 + b" end")

    words = answer.words([SecretStr(SECRET), None], 60)

    assert words.startswith("begin\\r\\n\\x1b[2J Bearer *** ")
    assert words.endswith(" ... " + "x" * 26 + " end")
    assert len(words) <= 65
    assert "x" * 1000 not in repr(answer)
