"""Peers that take a socket and then do what no library would: read nothing, answer nonsense, name two waits."""

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from connectors.cxone.websocket import Opening
from connectors.errors import ConfigurationError
from connectors.ingress import interactions
from connectors.settings import CxoneSettings
from tests.support.hostile_http import hostile, silent
from tests.support.sockets import POLICY, Client, Cxone, Tokens, running, settled, until

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def peer(serving: Serving) -> AsyncIterator[Cxone]:
    """Serve raw connections on loopback; what ends for the client ends for the server."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serving(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    cxone = Cxone(lambda _: asyncio.sleep(0))
    cxone.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield cxone
    await settled()
    server.close()
    await settled()  # who was just accepted begins to be handled
    for task in tasks:
        if task is not None:
            task.cancel()
    await asyncio.gather(*filter(None, tasks), return_exceptions=True)
    await server.wait_closed()
    await settled()  # transports close a turn after they are aborted


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await writer.drain()


@pytest.mark.parametrize("hello_first", [True, False])
async def test_a_peer_that_sends_pings_and_reads_nothing_is_left(*, hello_first: bool) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        if hello_first:
            await reader.read(1000)
            writer.write(b"\x81\x02{}")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a transport that only writes
        pings = (b"\x89\x7d" + b"x" * 125) * 1000
        while True:
            writer.write(pings)
            await writer.drain()

    async with peer(flood) as server:
        client = Client(server)
        async with running(client):
            await until(lambda: len(client.slept) >= 2)  # it was left, and came again

    assert bool(client.frames) == hello_first


async def test_a_peer_that_takes_no_ping_is_silent() -> None:
    async def accepting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await asyncio.Event().wait()

    async with peer(accepting) as server:
        client = Client(server, policy=replace(POLICY, ping_interval=0.01, pong_timeout=0.05))
        async with running(client):
            await until(lambda: client.socket._connections)
            connection = next(iter(client.socket._connections))
            connection._websocket.pause_writing()  # as when the peer's and our buffers are full
            await until(lambda: client.slept)


async def test_two_waits_in_a_refused_handshake_are_one_wait() -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with peer(busy) as server:
        client = Client(server)
        async with running(client):
            await until(lambda: len(client.slept) >= 2)

    assert client.slept[:2] == [7, 7]


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 x\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"HTTP/1.1 503 x\r\nRetry-After: \xff\r\nContent-Length: zwei\r\n\r\n",
        b"HTTP/1.1 401 /events?access_token=token-1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 access_token=token-1\r\nX: " + b"y" * 10_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_no_handshake_ends_a_connector_or_shows_the_token(answer: bytes) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with peer(nonsense) as server:
        client = Client(server)
        with capture_logs() as lines:
            async with running(client) as task:
                await until(lambda: len(client.slept) >= 2)
                assert not task.done()

    assert not any(f"token-{number}" in str(line) for line in lines for number in range(9))


async def test_this_machine_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def accepting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        writer.write(b"\x81\x02{}")
        await asyncio.Event().wait()

    async with hostile(silent) as proxy, peer(accepting) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        client = Client(server, policy=replace(POLICY, close_timeout=0.05))
        async with running(client):
            await until(lambda: client.frames)

    assert proxy.connections == 0


@pytest.mark.parametrize("value", ["http://user:p4ssw0rd@proxy.test:1", "http://proxy.test:1/p4ssw0rd"])
def test_a_proxy_that_cannot_be_used_is_refused_at_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    monkeypatch.delenv("https_proxy", raising=False)
    settings = CxoneSettings.model_validate({"org_domain": "acme", "client_id": "id", "client_secret": "secret"})

    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY: ") as refused:
        interactions.source(settings)

    assert "p4ssw0rd" not in str(refused.value)


async def test_what_a_library_says_of_an_url_does_not_show_the_token() -> None:
    class Broken(Client):
        def _begin(self, token: SecretStr) -> Opening:
            return Opening(f"ws://127.0.0.1:1/e?access_token={token.get_secret_value()}#x")

    tokens = Tokens()
    client = Broken(Cxone(lambda _: asyncio.sleep(0)), tokens=tokens)
    with capture_logs() as lines:
        async with running(client) as task:
            await until(lambda: client.slept)
            assert not task.done()

    assert "token-1" not in str(lines)
    assert "access_token=***" in str(lines)
