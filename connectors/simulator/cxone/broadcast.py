"""outbox -> every open socket: a greeting, frames, and after each batch a ping whose answer confirms it.

At least once: a frame is written again to the next socket unless its client has confirmed it (see `outbox`).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from connectors.simulator.cxone.outbox import Outbox

TOKEN_ENDED = 4001
UNEXPECTED = 4400
_BATCH = 100


class Frame(Protocol):
    """What an outbox holds: the bytes to send."""

    @property
    def body(self) -> bytes: ...


F = TypeVar("F", bound=Frame)


@dataclass(frozen=True, slots=True)
class Greeting:
    """How a client's first message is answered; with `refused` (code, reason) the socket is closed after that."""

    answer: bytes | None = None
    token: str = ""
    refused: tuple[int, bytes] | None = None


@dataclass(slots=True, eq=False)
class Socket:
    """One client's connection. A silent one is half-open: it sends nothing and answers nothing.

    `ending` is set to (code, reason, last frame or none) to have the connection's own task close it: aiohttp cuts the
    connection, and with it the frames under way, when another one does.
    """

    ws: web.WebSocketResponse
    token: str
    ending: asyncio.Future[tuple[int, bytes, bytes]]
    silent: bool = False

    def end(self, code: int, reason: bytes, last: bytes = b"") -> None:
        if not self.ending.done():
            self.ending.set_result((code, reason, last))


class Feed(Generic[F]):
    """Frames for every socket that has been greeted.

    Args:
        greet: answers a client's first message, the only one that it may send.
        wrote: told of every frame written and its number, in the order of the numbers on each socket.
        valid: whether a token still is. A socket without one ("") has not been greeted yet.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        greet: Callable[[WSMessage], Greeting],
        wrote: Callable[[int, F], None],
        valid: Callable[[str], bool],
        now: Callable[[], float],
    ) -> None:
        self.outbox = Outbox[F]()
        self.sockets: set[Socket] = set()
        self._greet = greet
        self._wrote = wrote
        self._valid = valid
        self._now = now
        self._news = asyncio.Event()

    def append(self, frame: F) -> None:
        self.outbox.append(frame)
        self._news.set()

    def tick(self) -> None:
        """Forget what was confirmed a while ago; close the sockets whose token has ended."""
        self.outbox.forget(self._now())
        for socket in self.sockets:
            if socket.token and not socket.silent and not self._valid(socket.token):
                socket.end(TOKEN_ENDED, b"token expired")

    def close(self) -> None:
        """Close every socket as a server that goes away does."""
        for socket in self.sockets:
            socket.end(WSCloseCode.GOING_AWAY, b"simulator stops")

    async def serve(self, request: web.Request, token: str = "") -> web.WebSocketResponse:
        """Serve one client until either side closes. `token` is what its handshake showed."""
        ws = web.WebSocketResponse(autoping=False, compress=False, timeout=1)
        await ws.prepare(request)
        socket = Socket(ws, token, asyncio.get_running_loop().create_future())
        self.sockets.add(socket)
        listener = asyncio.create_task(self._listen(socket))
        try:
            await asyncio.wait((listener, socket.ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.sockets.discard(socket)
            await _cancel(listener)
        if socket.ending.done():
            code, reason, last = socket.ending.result()
            if last:
                await ws.send_frame(last, WSMsgType.TEXT)
            await ws.close(code=code, message=reason)
        return ws

    async def _listen(self, socket: Socket) -> None:
        sender: asyncio.Task[None] | None = None
        try:
            async for message in socket.ws:
                if socket.silent:
                    await socket.ending
                if message.type is WSMsgType.PING:
                    await socket.ws.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._confirmed(bytes(message.data))
                elif sender is None:
                    sender = await self._greeted(socket, self._greet(message))
                else:
                    socket.end(UNEXPECTED, b"expected one message only")
        finally:
            if sender is not None:
                await _cancel(sender)

    async def _greeted(self, socket: Socket, greeting: Greeting) -> asyncio.Task[None] | None:
        if greeting.answer is not None:
            await socket.ws.send_frame(greeting.answer, WSMsgType.TEXT)
        if greeting.refused is not None:
            socket.end(*greeting.refused)
            return None
        socket.token = greeting.token or socket.token
        return asyncio.create_task(self._send(socket))

    async def _send(self, socket: Socket) -> None:
        at = self.outbox.oldest
        while not socket.silent:
            batch = self.outbox.read(at, _BATCH)
            for number, frame in batch:
                self._wrote(number, frame)
                await socket.ws.send_frame(frame.body, WSMsgType.TEXT)
                at = number + 1
            if batch:
                await socket.ws.ping(str(at).encode())
            else:
                self._news.clear()
                await self._news.wait()

    def _confirmed(self, pong: bytes) -> None:
        if pong.isdigit():  # clients may send pongs of their own
            self.outbox.confirm(int(pong), self._now())


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ConnectionError):
        await task
