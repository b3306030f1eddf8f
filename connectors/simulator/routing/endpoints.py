"""The stand-in CXone's routing API, `POST /api/v2/routing/conversations`, and what judges ask about it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

import orjson
from aiohttp import web

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.faults import FaultBox, Faults
from connectors.simulator.routing.ledger import CallLedger, Routed, Wanted


class Routing:
    """Takes every idempotency key once. A message is taken when its call arrives, however late the answer is."""

    def __init__(
        self,
        tokens: Tokens,
        faults: FaultBox,
        seconds_since: Callable[[str, str, float], float | None],
        *,
        seed: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledger = CallLedger()
        self._tokens = tokens
        self._faults = faults
        self._seconds_since = seconds_since
        self._rng = Random(seed)
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v2/routing/conversations", self._route),
            web.get("/ledger/routing", self._counts),
            web.get("/ledger/routing/keys", self._keys),
        ]

    async def _route(self, request: web.Request) -> web.Response:
        self.ledger.begun()
        status = 499  # the client left before it had sent its request
        try:
            body = await request.read()
            response, late = self._answer(request, body)
            status = response.status
            if seconds := self._faults.now.routing_seconds + late:
                await asyncio.sleep(seconds)
            if status == 201 and request.transport is None:  # noqa: PLR2004
                self.ledger.unheard += 1
            return response
        finally:
            self.ledger.ended(status)

    def _answer(self, request: web.Request, body: bytes) -> tuple[web.Response, float]:
        """Return the answer, and how many seconds it is late."""
        if refusal := self._unauthorized(request.headers.get("Authorization", "")):
            return refusal, 0
        wanted, key = _wanted(body), request.headers.get("Idempotency-Key")
        if wanted is None:
            return _error(400, "bad.request", "The body is not a conversation to route."), 0
        if not key:
            return _error(400, "bad.request", "The header Idempotency-Key is missing."), 0
        routed = self.ledger.called(key, wanted, self._now())
        if routed is None:
            return _error(409, "idempotency.conflict", "This Idempotency-Key was used for another message."), 0
        faults = self._faults.now
        if fault := self._faults.take("routing"):
            return refused(fault), 0
        return self._drawn(routed, faults)

    def _drawn(self, routed: Routed, faults: Faults) -> tuple[web.Response, float]:
        drawn = self._rng.random() - faults.routing_500
        if drawn < 0:
            return _error(500, "internal.error", "An internal error occurred."), 0
        drawn -= faults.routing_429
        if drawn < 0:
            self.ledger.closed(self._now() + faults.routing_retry_after)
            headers = {"Retry-After": f"{faults.routing_retry_after:g}"}
            return _error(429, "too.many.requests", "Rate limit exceeded.", headers), 0
        late = faults.routing_timeout_seconds if drawn < faults.routing_timeouts else 0
        return self._in_queue(routed, faults), late

    def _in_queue(self, routed: Routed, faults: Faults) -> web.Response:
        queue = routed.wanted.queue_id
        if queue in faults.queues_archived:
            return _error(403, "queue.archived", f"The queue '{queue}' is archived and takes no conversations.")
        if faults.queues is not None and queue not in faults.queues:
            return _error(400, "queue.not.found", f"The queue '{queue}' does not exist.")
        now, wanted = self._now(), routed.wanted
        taken = self.ledger.take(routed, now, self._seconds_since(wanted.conversation_id, wanted.text, now))
        return json({"id": taken, "conversationId": wanted.conversation_id, "queueId": queue, "status": "queued"}, 201)

    def _unauthorized(self, authorization: str) -> web.Response | None:
        token = authorization.removeprefix("Bearer ")
        if not self._tokens.valid(token, self._now()):
            return _error(401, "unauthorized", "The access token is invalid or has expired.")
        if not self._tokens.allows(token, "routing:write"):
            return _error(403, "missing.scope", "The access token lacks the scope routing:write.")
        return None

    async def _counts(self, _: web.Request) -> web.Response:
        return json(self.ledger.counts())

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.ledger.rows())


def _wanted(body: bytes) -> Wanted | None:
    with suppress(ValueError):
        match orjson.loads(body):
            case {
                "type": "webchat",
                "queueId": str(queue),
                "customer": {"id": str(conversation), "firstName": str(), "lastName": str(), "email": str()},
                "media": {"webchat": {"message": str(text), "url": str()}},
            } if queue and conversation:
                return Wanted(conversation, queue, text)
    return None


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return json({"code": code, "message": message}, status, headers)
