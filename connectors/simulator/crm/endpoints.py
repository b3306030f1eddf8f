"""The stand-in CRM's door, `POST /crm/contacts`, and what judges ask about it."""

import asyncio

from aiohttp import web
from pydantic import ValidationError

from connectors.simulator.answers import json, lines, refused
from connectors.simulator.crm.ledger import BATCH, ContactStore
from connectors.simulator.faults import FaultBox


class Crm:
    """Takes every batch whole or not at all, and does not say which record it dislikes."""

    def __init__(self, faults: FaultBox) -> None:
        self.store = ContactStore()
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/crm/contacts", self._contacts),
            web.get("/ledger/crm", self._counts),
            web.get("/ledger/crm/records", self._records),
        ]

    async def _contacts(self, request: web.Request) -> web.Response:
        response = self._answer(request.headers.get("Idempotency-Key"), await request.read())
        if seconds := self._faults.now.crm_seconds:
            await asyncio.sleep(seconds)
        if response.status == 200 and request.transport is None:  # noqa: PLR2004
            self.store.unheard += 1
        self.store.answered(response.status)
        return response

    def _answer(self, key: str | None, body: bytes) -> web.Response:
        if refusal := self._faults.take("crm"):
            return refused(refusal)
        if not key:
            return json({"error": "the header Idempotency-Key is missing"}, 400)
        try:
            batch = BATCH.validate_json(body)
        except ValidationError:
            return json({"error": "the batch is not a list of contacts"}, 422)
        bad = self._faults.now.crm_refuse
        if bad is not None and any(contact.external_id.startswith(bad) for contact in batch):
            return json({"error": "the batch contains a contact that is not acceptable"}, 422)
        self.store.take(key, batch)
        return json({"accepted": len(batch)})

    async def _counts(self, _: web.Request) -> web.Response:
        return json(self.store.counts())

    async def _records(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.store.rows())
