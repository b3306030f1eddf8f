"""The stand-in CXone's doors: OAuth token, events WebSocket, and for judges the ledger and the faults.

At least once: a frame is written again to the next socket unless its client has confirmed it (see `outbox`).
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

import orjson
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from pydantic import ValidationError

from connectors.simulator.answers import json
from connectors.simulator.faults import FaultBox, Faults
from connectors.simulator.frames import CONFIRMATION
from connectors.simulator.ledger import Ledger
from connectors.simulator.outbox import Outbox
from connectors.simulator.tokens import Tokens
from connectors.simulator.traffic import Delivery

TOKEN_ENDED = 4001
NO_SUBSCRIPTION = 4400
TICK = 0.02
_SUBSCRIPTION = {"subscription": ["interaction.completed"]}
_BATCH = 100


@dataclass(slots=True, eq=False)
class Socket:
    """One client's connection. A silent one is half-open: it sends nothing and answers nothing.

    `ending` is set to (code, reason) to have the connection's own task close it: aiohttp cuts the connection, and with
    it the frames under way, when another one does.
    """

    ws: web.WebSocketResponse
    token: str
    ending: asyncio.Future[tuple[int, bytes]]
    silent: bool = False

    def end(self, code: int, reason: bytes) -> None:
        if not self.ending.done():
            self.ending.set_result((code, reason))


class Cxone:
    """Pumps the traffic into the outbox and from there to every subscribed socket."""

    def __init__(
        self, traffic: Iterator[Delivery], tokens: Tokens, faults: FaultBox, *, now: Callable[[], float] = time.time
    ) -> None:
        self.ledger = Ledger()
        self.outbox = Outbox()
        self._traffic = traffic
        self._tokens = tokens
        self._faults = faults
        self._now = now
        self._next = next(traffic, None)
        self._sockets: set[Socket] = set()
        self._news = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/oauth/token", self._token),
                web.get("/api/v2/events", self._events),
                web.get("/ledger", self._counts),
                web.get("/ledger/events", self._truth),
                web.get("/faults", self._show_faults),
                web.post("/faults", self._change_faults),
            ]
        )
        return app

    @property
    def finished(self) -> bool:
        """Whether all traffic has been generated and a client has confirmed all of it."""
        return self._next is None and self.outbox.unconfirmed == 0

    async def run(self, started_at: float) -> None:
        """Generate for ever what is due, as far as the outbox has room; close sockets whose token has ended."""
        while True:
            self._generate(self._now() - started_at)
            self.outbox.forget(self._now())
            for socket in self._sockets:
                if not socket.silent and not self._tokens.valid(socket.token, self._now()):
                    socket.end(TOKEN_ENDED, b"token expired")
            await asyncio.sleep(TICK)

    def close(self) -> None:
        """Close every socket as a server that goes away does."""
        for socket in self._sockets:
            socket.end(WSCloseCode.GOING_AWAY, b"simulator stops")

    def _generate(self, elapsed: float) -> None:
        room = self.outbox.room
        while self._next is not None and self._next.due <= elapsed and room:
            self.outbox.append(self._next)
            self._next, room = next(self._traffic, None), room - 1
        self._news.set()
        self._news = asyncio.Event()

    async def _token(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("token"):
            headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else {}
            return json({"error": "refused on request"}, refusal.status, headers)
        form = {name: str(value) for name, value in (await request.post()).items()}
        status, body = self._tokens.answer(form, now=self._now(), expires_in=self._faults.now.expires_in)
        return json(body, status)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._faults.take("handshake"):
            return json({"error": "refused on request"}, refusal.status)
        token = request.query.get("access_token", "")
        if not self._tokens.valid(token, self._now()):
            return json({"error": "invalid_token"}, 401)
        ws = web.WebSocketResponse(autoping=False, compress=False, timeout=1)
        await ws.prepare(request)
        socket = Socket(ws, token, asyncio.get_running_loop().create_future())
        self._sockets.add(socket)
        listener = asyncio.create_task(self._listen(socket))
        try:
            await asyncio.wait((listener, socket.ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sockets.discard(socket)
            await _cancel(listener)
        if socket.ending.done():
            code, reason = socket.ending.result()
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
                elif sender is None and _subscribes(message):
                    await socket.ws.send_frame(CONFIRMATION, WSMsgType.TEXT)
                    sender = asyncio.create_task(self._send(socket))
                else:
                    socket.end(NO_SUBSCRIPTION, b"expected one subscription")
        finally:
            if sender is not None:
                await _cancel(sender)

    async def _send(self, socket: Socket) -> None:
        at = self.outbox.oldest
        while not socket.silent:
            news = self._news
            batch = self.outbox.read(at, _BATCH)
            for number, delivery in batch:
                self.ledger.wrote(number, delivery)
                await socket.ws.send_frame(delivery.body, WSMsgType.TEXT)
                at = number + 1
            if batch:
                await socket.ws.ping(str(at).encode())
            else:
                await news.wait()

    def _confirmed(self, pong: bytes) -> None:
        if pong.isdigit():  # clients may send pongs of their own
            self.outbox.confirm(int(pong), self._now())

    async def _counts(self, _: web.Request) -> web.Response:
        return json({**self.ledger.counts(), "finished": self.finished, "waiting": self.outbox.unconfirmed})

    async def _truth(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        for event in list(self.ledger.events()):
            await answer.write(orjson.dumps(asdict(event), option=orjson.OPT_APPEND_NEWLINE))
        await answer.write_eof()
        return answer

    async def _show_faults(self, _: web.Request) -> web.Response:
        return json(self._faults.now.model_dump())

    async def _change_faults(self, request: web.Request) -> web.Response:
        try:
            wanted = Faults.model_validate_json(await request.read())
        except ValidationError as error:
            return json({"error": error.errors(include_url=False, include_context=False)}, 400)
        self.strike(wanted)
        return json(self._faults.now.model_dump())

    def strike(self, wanted: Faults) -> None:
        """Put the faults in force that `wanted` names."""
        self._faults.change(wanted.model_copy(update={"close": None, "revoke": False, "silence": False}))
        if wanted.silence:
            for socket in self._sockets:
                socket.silent = True
        if wanted.revoke:
            self._tokens.revoke_all()
        if wanted.close is not None:
            for socket in self._sockets:
                socket.end(wanted.close, b"closed on request")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ConnectionError):
        await task


def _subscribes(message: WSMessage) -> bool:
    with suppress(ValueError):
        return bool(message.type is WSMsgType.TEXT and orjson.loads(message.data) == _SUBSCRIPTION)
    return False
