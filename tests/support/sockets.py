"""A CXone on loopback that a test scripts, and a client whose frames and delays are lists."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from connectors.cxone.connection import Frame, Policy
from connectors.cxone.oauth import Token
from connectors.cxone.websocket import Opening, Socket

FAR = 1e12
POLICY = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=2**20, overlap=0.05)


class Tokens:
    """Tokens token-1, token-2, ..., or `value`: each good until it is refused or due. `lifetimes` are used up."""

    def __init__(self, *lifetimes: float, value: str = "") -> None:
        self._value = value
        self.lifetimes = list(lifetimes)
        self.given = 0
        self.refused_tokens: list[str] = []
        self.trouble: list[Exception] = []
        self._current: Token | None = None

    async def token(self) -> Token:
        if self.trouble:
            raise self.trouble.pop(0)
        if self._current is None or time.time() >= self._current.renew_at:
            self.given += 1
            lifetime = self.lifetimes.pop(0) if self.lifetimes else FAR
            self._current = Token(SecretStr(self._value or f"token-{self.given}"), time.time() + lifetime)
        return self._current

    def refused(self, token: Token) -> None:
        self.refused_tokens.append(token.value.get_secret_value())
        self._current = None


class Cxone:
    """A server that answers the first handshakes with `answers`, hears one message and then runs `serving`."""

    def __init__(self, serving: Callable[[ServerConnection], Awaitable[None]]) -> None:
        self.serving = serving
        self.answers: list[Response] = []
        self.requests: list[Request] = []
        self.connections: list[ServerConnection] = []
        self.heard: list[str | bytes] = []
        self.url = ""

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def handshake(self, _: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else None

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with suppress(ConnectionClosed):
            self.heard.append(await connection.recv())
            await self.serving(connection)

    def opening(self, token: SecretStr) -> Opening:
        return Opening(f"{self.url}/events?access_token={token.get_secret_value()}", messages=("hello",))


@asynccontextmanager
async def cxone(serving: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Cxone]:
    server = Cxone(serving)
    async with serve(
        server.handle, "127.0.0.1", 0, process_request=server.handshake, ping_interval=None, close_timeout=0.1
    ) as listening:
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
        await settled()


async def settled() -> None:
    """Let what is under way happen.

    A connection that is being accepted in the very turn in which its server is closed is never closed (asyncio), which
    the next test would be told of.
    """
    for _ in range(10):
        await asyncio.sleep(0)


class Client:
    """A socket with its frames and delays in lists; nothing waits for real."""

    def __init__(self, server: Cxone, *, tokens: Tokens | None = None, policy: Policy = POLICY) -> None:
        self.frames: list[Frame] = []
        self.slept: list[float] = []
        self.opened = 0
        self.room = asyncio.Event()
        self.room.set()
        self.skipped = 0.0
        self.tokens = tokens or Tokens()
        self.opening = server.opening
        self.socket = Socket(
            "test",
            self._begin,
            self.tokens,
            self.receive,
            policy,
            opened=self.on_opened,
            now=lambda: time.time() + self.skipped,
            sleep=self.sleep,
        )

    @property
    def data(self) -> list[bytes]:
        return [frame.data for frame in self.frames]

    def _begin(self, token: SecretStr) -> Opening:
        return self.opening(token)

    def on_opened(self) -> None:
        self.opened += 1

    async def receive(self, frame: Frame) -> None:
        await self.room.wait()
        self.frames.append(frame)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(client.socket.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in a server or a library
            await asyncio.sleep(0.001)


async def quiet(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def greet(connection: ServerConnection) -> None:
    await connection.send("welcome")
    await connection.wait_closed()
