"""The stand-in CXone's event subscriptions: changes of dashboards go out as webhooks, with retries."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal

import aiohttp
import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from yarl import URL

from connectors.simulator.answers import json
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.dashboards.documents import Stored
from connectors.simulator.dashboards.endpoints import unauthorized
from connectors.simulator.faults import FaultBox

PATH = "/api/v2/events/subscriptions"
SECRET = "X-CXone-Webhook-Secret"  # noqa: S105 - the name of a header
WAITING = 10_000  # webhooks; more are lost, and counted
MOST = 1000  # subscriptions
FIRST_DELAY = 0.1  # seconds, doubled with each try: a stand-in is in a hurry
TIMEOUT = 5.0  # seconds


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class EventFilter(_Shape):
    """Which events: of one dashboard, or with `*` of all."""

    eventType: Literal["dashboard.updated", "dashboard.created"]  # noqa: N815 - CXone's name
    entityId: str = "*"  # noqa: N815


class RetryPolicy(_Shape):
    """How often a webhook is tried again."""

    maxRetries: int = Field(default=3, ge=0, le=10)  # noqa: N815
    backoff: str = "exponential"


class Delivery(_Shape):
    """Where webhooks go: this machine alone."""

    type: Literal["webhook"]
    url: str
    retryPolicy: RetryPolicy = RetryPolicy()  # noqa: N815

    @field_validator("url")
    @classmethod
    def _loopback(cls, url: str) -> str:
        if URL(url).host not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("the stand-in calls this machine alone")
        return url


class Subscription(_Shape):
    """What a client asks for."""

    name: str = Field(min_length=1)
    eventFilters: list[EventFilter] = Field(min_length=1)  # noqa: N815
    delivery: Delivery
    active: bool = True


class Subscriptions:
    """Keeps subscriptions, also several of one name, and sends what they ask for."""

    def __init__(
        self, tokens: Tokens, faults: FaultBox, *, secret: str, seed: int, now: Callable[[], float] = time.time
    ) -> None:
        self._tokens, self._faults, self._secret, self._now = tokens, faults, secret, now
        self._rng = Random(seed)
        self._kept: dict[str, Subscription] = {}
        self._queue: asyncio.Queue[tuple[Delivery, bytes]] = asyncio.Queue(WAITING)
        self._counts: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH, self._list),
            web.post(PATH, self._subscribe),
            web.get("/ledger/subscriptions", self._ledger),
        ]

    def changed(self, what: str, name: str, stored: Stored) -> None:
        """Queue a webhook for each subscription that asks for this change."""
        event = {
            "eventId": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "eventType": f"dashboard.{what}",
            "entityId": name,
            "timestamp": datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds"),
            "data": {
                "id": name,
                "version": stored.version,
                "etag": stored.etag,
                "modifiedBy": stored.document["modifiedBy"],
            },
        }
        for subscription in self._kept.values():
            wanted = any(
                each.eventType == event["eventType"] and each.entityId in {"*", name}
                for each in subscription.eventFilters
            )
            if subscription.active and wanted:
                self._send(subscription.delivery, orjson.dumps(event))

    async def run(self) -> None:
        """Send what is queued, in order, for ever."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            while True:
                delivery, body = await self._queue.get()
                await self._deliver(session, delivery, body)
                self._queue.task_done()

    def _send(self, delivery: Delivery, body: bytes) -> None:
        times = 2 if self._rng.random() < self._faults.now.webhooks_repeated else 1
        for _ in range(times):
            try:
                self._queue.put_nowait((delivery, body))
            except asyncio.QueueFull:
                self._counts["dropped"] += 1
            else:
                self._counts["sent"] += 1

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery, body: bytes) -> None:
        headers = {"Content-Type": "application/json", SECRET: self._secret}
        for retry in range(delivery.retryPolicy.maxRetries + 1):
            if retry:
                await asyncio.sleep(FIRST_DELAY * 2 ** (retry - 1))
            try:
                async with session.post(delivery.url, data=body, headers=headers) as answer:
                    if answer.status < 300:  # noqa: PLR2004
                        self._counts["delivered"] += 1
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            self._counts["failed_tries"] += 1
        self._counts["given_up"] += 1

    async def _list(self, request: web.Request) -> web.Response:
        if refusal := unauthorized(self._tokens, request, self._now(), "event:subscribe"):
            return refusal
        if not self._faults.now.subscriptions_listed:
            return json({"code": "method.not.allowed", "message": "Subscriptions are not listed here."}, 405)
        return json({"entities": [self._shown(name) for name in self._kept]})

    async def _subscribe(self, request: web.Request) -> web.Response:
        if refusal := unauthorized(self._tokens, request, self._now(), "event:subscribe", "webhook:write"):
            return refusal
        try:
            wanted = Subscription.model_validate_json(await request.read())
        except ValidationError as wrong:
            first = wrong.errors(include_url=False, include_input=False)[0]
            words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            return json({"code": "bad.request", "message": words}, 400)
        if len(self._kept) >= MOST:
            return json({"code": "too.many", "message": "There are too many subscriptions."}, 400)
        name = f"subscription-{len(self._kept) + 1:04}"
        self._kept[name] = wanted
        return json(self._shown(name), 201)

    def _shown(self, name: str) -> dict[str, Any]:
        return {"id": name, **self._kept[name].model_dump()}

    async def _ledger(self, _: web.Request) -> web.Response:
        names = Counter(each.name for each in self._kept.values())
        return json({"subscriptions": dict(names), "waiting": self._queue.qsize(), **self._counts})
