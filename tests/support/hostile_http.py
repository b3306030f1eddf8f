"""An HTTP peer that answers with any bytes whatever, as slowly as a test wants: no server library would send them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.sockets import settled


@dataclass(frozen=True)
class Asked:
    """A request: its head as it came, lines ended by CRLF, and its body."""

    head: str
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str | None:
        """Return the value of the first header of that name."""
        for line in self.head.split("\r\n")[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


Answering = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


class HostilePeer:
    """Calls `answer` for each request on a connection, and notes requests, connections and how many have ended."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self.ended = asyncio.Semaphore(0)  # released when a connection is over, as the peer sees it
        self.url = ""
        self.serving: set[asyncio.Task[object] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a connection until the client ends it."""
        self.connections += 1
        self.serving.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                asked = Asked(head, b"")
                length = int(asked.header("content-length") or 0)
                asked = Asked(head, await reader.readexactly(length) if length else b"")
                self.asked.append(asked)
                await self._answer(asked, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.ended.release()
            writer.transport.abort()


@asynccontextmanager
async def hostile(answer: Answering) -> AsyncIterator[HostilePeer]:
    """Serve on a loopback port; `url` of the peer has no path."""
    peer = HostilePeer(answer)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, limit=1 << 24)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        await settled()
        server.close()
        serving = [task for task in peer.serving if task is not None]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


def answering(*answers: bytes) -> Answering:
    """Return what gives these answers in turn, the last one for ever."""
    left = list(answers)

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer that is well formed, but for what `headers` say."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def dripping(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Give a byte of the body from time to time, and never the last."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Give a body without an end, as fast as it is read."""
    writer.write(b"HTTP/1.1 422 no\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        writer.write(chunk)
        await writer.drain()


async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Take a request and say nothing."""
    await asyncio.Event().wait()
