"""The stand-in CXone's doors for web messaging: OAuth token, connectors' and guests' sockets, the ledger."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from random import Random

import orjson
from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.cxone.broadcast import Feed, Greeting
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.faults import FaultBox
from connectors.simulator.messaging.frames import GuestFrame, Said, frames
from connectors.simulator.messaging.ledger import MessageLedger

TICK = 0.02
MOST_GUESTS = 5_000
LONGEST_MESSAGE = 65_536  # bytes
_GREETED = orjson.dumps({"type": "auth.ok"})


class Messaging:
    """Streams what guests write to every authenticated connector. A guest waits while the outbox is full."""

    def __init__(self, tokens: Tokens, faults: FaultBox, *, seed: int, now: Callable[[], float] = time.time) -> None:
        self.ledger = MessageLedger()
        self.feed = Feed[GuestFrame](self._greet, self._wrote, lambda token: tokens.valid(token, now()), now)
        self._tokens = tokens
        self._faults = faults
        self._rng = Random(seed)
        self._now = now
        self._guests: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/v2/token", self._token),
            web.get("/webchat/v1/ws", self._connector),
            web.get("/webchat/v1/guest", self._guest),
            web.get("/ledger/messages", self._counts),
            web.get("/ledger/messages/all", self._truth),
        ]

    async def run(self) -> None:
        """Close sockets whose token has ended, for ever."""
        while True:
            self.feed.tick()
            await asyncio.sleep(TICK)

    async def close(self) -> None:
        """Close every socket as a server that goes away does."""
        self.feed.close()
        await asyncio.gather(*(guest.close(code=1001) for guest in self._guests))

    async def _token(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("token"):
            return refused(refusal)
        form = {name: str(value) for name, value in (await request.post()).items()}
        faults = self._faults.now
        status, body = self._tokens.grant(
            form, now=self._now(), expires_in=faults.expires_in, withheld=faults.scopes_withheld
        )
        return json(body, status)

    async def _connector(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._faults.take("handshake"):
            return refused(refusal)
        return await self.feed.serve(request)

    def _greet(self, message: WSMessage) -> Greeting:
        if refusal := self._faults.take("auth"):
            return _refused(refusal.status, "refused on request")
        token = _token_in(message)
        if token is None:
            return _refused(400, "expected an auth message")
        if not self._tokens.valid(token, self._now()):
            return _refused(401, "invalid token")
        if not self._tokens.allows(token, "webchat:read"):
            return _refused(403, "missing scope webchat:read")
        return Greeting(_GREETED, token)

    def _wrote(self, number: int, frame: GuestFrame) -> None:
        self.ledger.wrote(number, frame, self._now())

    async def _guest(self, request: web.Request) -> web.StreamResponse:
        if len(self._guests) >= MOST_GUESTS:
            return json({"error": f"at most {MOST_GUESTS} guests"}, 503)
        ws = web.WebSocketResponse(max_msg_size=LONGEST_MESSAGE, compress=False, timeout=1)
        await ws.prepare(request)
        self._guests.add(ws)
        try:
            async for message in ws:
                try:
                    said = Said.model_validate_json(message.data)
                except ValidationError as error:
                    await ws.send_json({"error": error.errors(include_url=False, include_context=False)})
                    continue
                while self.feed.outbox.room <= 0:  # noqa: ASYNC110 - the outbox forgets by the clock
                    await asyncio.sleep(TICK)
                self._say(said)
        finally:
            self._guests.discard(ws)
        return ws

    def _say(self, said: Said) -> None:
        faults = self._faults.now
        for frame in frames(
            said,
            int(self._now() * 1000),
            self._rng,
            redelivered=faults.messages_redelivered,
            malformed=faults.messages_malformed,
        ):
            self.feed.append(frame)

    async def _counts(self, _: web.Request) -> web.Response:
        open_sockets = {"guests": len(self._guests), "connectors": len(self.feed.sockets)}
        return json({**self.ledger.counts(), **open_sockets, "waiting": self.feed.outbox.unconfirmed})

    async def _truth(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, (asdict(message) for message in list(self.ledger.messages())))


def _token_in(message: WSMessage) -> str | None:
    with suppress(ValueError):
        match orjson.loads(message.data) if message.type is WSMsgType.TEXT else None:
            case {"type": "auth", "token": str(token)}:
                return token
    return None


def _refused(status: int, reason: str) -> Greeting:
    """Answer auth.error, and close with 4401 for 401."""
    answer = orjson.dumps({"type": "auth.error", "reason": reason})
    return Greeting(answer, refused=(4000 + status, reason.encode()))
