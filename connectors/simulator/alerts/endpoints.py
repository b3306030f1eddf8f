"""The stand-in webhook that is told of alerts, `POST /alerts`, and what judges ask about it."""

from collections import OrderedDict
from typing import Any

import orjson
from aiohttp import web

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.faults import FaultBox

KEPT = 200_000  # keys; older ones are forgotten


class AlertWebhook:
    """Takes each idempotency key once. `told` has the body of each key, in the order of first calls."""

    def __init__(self, faults: FaultBox) -> None:
        self.told: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.repeats = 0  # calls of a key that was taken before
        self.contradictions = 0  # of these, calls with another body
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/alerts", self._alert),
            web.get("/ledger/alerts", self._counts),
            web.get("/ledger/alerts/all", self._all),
        ]

    async def _alert(self, request: web.Request) -> web.Response:
        if refusal := self._faults.take("alerts"):
            return refused(refusal)
        key = request.headers.get("Idempotency-Key")
        if not key:
            return json({"error": "the header Idempotency-Key is missing"}, 400)
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("alert_id"), str):
            return json({"error": "the body is no alert"}, 422)
        self._take(key, body)
        return json({"status": "taken"})

    def _take(self, key: str, body: dict[str, Any]) -> None:
        known = self.told.setdefault(key, body)
        if known is not body:
            self.repeats += 1
            self.contradictions += known != body
        if len(self.told) > KEPT:
            self.told.popitem(last=False)

    async def _counts(self, _: web.Request) -> web.Response:
        counts = {"told": len(self.told), "repeats": self.repeats, "contradictions": self.contradictions}
        return json(counts)

    async def _all(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, [{"key": key, **body} for key, body in self.told.items()])
