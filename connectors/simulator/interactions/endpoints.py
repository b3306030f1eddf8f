"""The stand-in CXone's doors for interactions: OAuth token, events WebSocket, and for judges the ledger."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict

import orjson
from aiohttp import WSMessage, WSMsgType, web

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.cxone.broadcast import UNEXPECTED, Feed, Greeting
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.faults import FaultBox
from connectors.simulator.interactions.frames import CONFIRMATION
from connectors.simulator.interactions.ledger import Ledger
from connectors.simulator.interactions.traffic import Delivery

TICK = 0.02
_SUBSCRIPTION = {"subscription": ["interaction.completed"]}


class Cxone:
    """Pumps the traffic into the outbox and from there to every subscribed socket."""

    def __init__(
        self, traffic: Iterator[Delivery], tokens: Tokens, faults: FaultBox, *, now: Callable[[], float] = time.time
    ) -> None:
        self.ledger = Ledger()
        self.feed = Feed[Delivery](_greet, self.ledger.wrote, lambda token: tokens.valid(token, now()), now)
        self._traffic = traffic
        self._tokens = tokens
        self._faults = faults
        self._now = now
        self._next = next(traffic, None)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/token", self._token),
            web.get("/api/v2/events", self._events),
            web.get("/ledger", self._counts),
            web.get("/ledger/events", self._truth),
        ]

    @property
    def finished(self) -> bool:
        """Whether all traffic has been generated and a client has confirmed all of it."""
        return self._next is None and self.feed.outbox.unconfirmed == 0

    async def run(self, started_at: float) -> None:
        """Generate for ever what is due, as far as the outbox has room; close sockets whose token has ended."""
        while True:
            self._generate(self._now() - started_at)
            self.feed.tick()
            await asyncio.sleep(TICK)

    def _generate(self, elapsed: float) -> None:
        room = self.feed.outbox.room
        while self._next is not None and self._next.due <= elapsed and room:
            self.feed.append(self._next)
            self._next, room = next(self._traffic, None), room - 1

    async def _token(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("token"):
            return refused(refusal)
        form = {name: str(value) for name, value in (await request.post()).items()}
        status, body = self._tokens.answer(form, now=self._now(), expires_in=self._faults.now.expires_in)
        return json(body, status)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._faults.take("handshake"):
            return refused(refusal)
        token = request.query.get("access_token", "")
        if not self._tokens.valid(token, self._now()):
            return json({"error": "invalid_token"}, 401)
        return await self.feed.serve(request, token)

    async def _counts(self, _: web.Request) -> web.Response:
        return json({**self.ledger.counts(), "finished": self.finished, "waiting": self.feed.outbox.unconfirmed})

    async def _truth(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, (asdict(event) for event in list(self.ledger.events())))


def _greet(message: WSMessage) -> Greeting:
    with suppress(ValueError):
        if message.type is WSMsgType.TEXT and orjson.loads(message.data) == _SUBSCRIPTION:
            return Greeting(CONFIRMATION)
    return Greeting(refused=(UNEXPECTED, b"expected one subscription"))
