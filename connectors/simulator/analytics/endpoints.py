"""The stand-in CXone's endpoints for analytics: token, event subscriptions, their socket, and for judges the ledger.

All paths begin with `/analytics`, which stands for the host `api-{region}`: without it they are other systems'.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict

import orjson
from aiohttp import WSMessage, WSMsgType, web

from connectors.simulator.analytics.ledger import AnalyticsLedger
from connectors.simulator.analytics.subscriptions import Subscriptions
from connectors.simulator.analytics.traffic import Delivery
from connectors.simulator.answers import json, lines, refused
from connectors.simulator.cxone.broadcast import UNEXPECTED, Feed, Greeting
from connectors.simulator.cxone.tokens import ANALYTICS_SCOPES, Tokens
from connectors.simulator.faults import FaultBox

TICK = 0.02
POLICY_VIOLATION = 1008
SUBSCRIBED = orjson.dumps({"type": "subscribed"})
UNKNOWN = orjson.dumps({"type": "error", "code": "unknown_subscription", "message": "there is no such subscription"})
_EVENTS = {"interaction", "agent", "queue"}
_SUBSCRIPTIONS = "/analytics/api/v2/analytics/eventsub"


class Analytics:
    """Pumps the traffic into the outbox and from there to every subscribed socket."""

    def __init__(
        self, traffic: Iterator[Delivery], tokens: Tokens, faults: FaultBox, *, now: Callable[[], float] = time.time
    ) -> None:
        self.ledger = AnalyticsLedger()
        self.subscriptions = Subscriptions()
        self.feed = Feed[Delivery](self._greet, self.ledger.wrote, lambda token: tokens.valid(token, now()), now)
        self._traffic = traffic
        self._tokens = tokens
        self._faults = faults
        self._now = now
        self._next = next(traffic, None)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/analytics/oauth/token", self._token),
            web.post(_SUBSCRIPTIONS, self._subscribe),
            web.get(_SUBSCRIPTIONS + "/{name}", self._subscription),
            web.delete(_SUBSCRIPTIONS + "/{name}", self._unsubscribe),
            web.get("/analytics/api/v2/events", self._events),
            web.get("/ledger/analytics", self._counts),
            web.get("/ledger/analytics/events", self._truth),
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

    def forget(self) -> None:
        """Lose all subscriptions, and tell the sockets that are open."""
        self.subscriptions.forget()
        for socket in self.feed.sockets:
            socket.end(POLICY_VIOLATION, b"unknown subscription", UNKNOWN)

    def _generate(self, elapsed: float) -> None:
        room = self.feed.outbox.room
        while self._next is not None and self._next.due <= elapsed and room:
            self.feed.append(self._next)
            self._next, room = next(self._traffic, None), room - 1

    async def _token(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("token"):
            return refused(refusal)
        form = {name: str(value) for name, value in (await request.post()).items()}
        faults = self._faults.now
        status, body = self._tokens.grant(
            form, ANALYTICS_SCOPES, now=self._now(), expires_in=faults.expires_in, withheld=faults.scopes_withheld
        )
        return json(body, status)

    async def _subscribe(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("eventsub") or self._stranger(request):
            return refusal if isinstance(refusal, web.Response) else refused(refusal)
        status, body = self.subscriptions.create(await request.read(), self._faults.now.eventsub_fields_refused)
        return json(body, status)

    async def _subscription(self, request: web.Request) -> web.Response:
        if refusal := self._stranger(request):
            return refusal
        status, body = self.subscriptions.show(request.match_info["name"])
        return json(body, status)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        if refusal := self._stranger(request):
            return refusal
        status, body = self.subscriptions.delete(request.match_info["name"])
        return web.Response(status=204) if status == 204 else json(body, status)  # noqa: PLR2004 - no content

    def _stranger(self, request: web.Request, scope: str = "events:subscribe") -> web.Response | None:
        """Return the answer to who shows no valid token, or one without the scope."""
        token = _bearer(request)
        if not self._tokens.valid(token, self._now()):
            return json({"code": "invalid.token", "message": "the token is not valid"}, 401)
        if not self._tokens.allows(token, scope):
            return json({"code": "missing.scope", "message": f"missing scope {scope}"}, 403)
        return None

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._faults.take("handshake"):
            return refused(refusal)
        return self._stranger(request, "realtime:read") or await self.feed.serve(request, _bearer(request))

    def _greet(self, message: WSMessage) -> Greeting:
        with suppress(ValueError):
            match orjson.loads(message.data) if message.type is WSMsgType.TEXT else None:
                case {"type": "subscribe", "subscriptionId": str(name), "events": [*events], "format": "json"} if (
                    events and all(event in _EVENTS for event in events)
                ):
                    if name in self.subscriptions:
                        return Greeting(SUBSCRIBED)
                    return Greeting(UNKNOWN, refused=(POLICY_VIOLATION, b"unknown subscription"))
        return Greeting(refused=(UNEXPECTED, b"expected one subscription"))

    async def _counts(self, _: web.Request) -> web.Response:
        subscriptions = self.subscriptions
        return json(
            {
                **self.ledger.counts(),
                "finished": self.finished,
                "waiting": self.feed.outbox.unconfirmed,
                "connectors": len(self.feed.sockets),
                "subscriptions": len(subscriptions),
                "subscriptions_made": subscriptions.made,
            }
        )

    async def _truth(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, (asdict(event) for event in list(self.ledger.events())))


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
