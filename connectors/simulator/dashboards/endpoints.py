"""The stand-in CXone's dashboards API, those who edit dashboards beside us, and what judges ask about it."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any

import orjson
from aiohttp import web

from connectors.simulator.answers import json, lines, only_json, refused
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.dashboards.documents import OWN, Documents, Stored, UnfitError, changed
from connectors.simulator.dashboards.editor import Editor
from connectors.simulator.dashboards.ledger import DashboardLedger, payload_hash
from connectors.simulator.faults import FaultBox

PATH = "/api/v2/dashboards"
US = "cxone-streams"
SOMEBODY = "somebody in CXone"
LOOKS = 0.05  # seconds between two looks at whether somebody should edit

Changed = Callable[[str, str, Stored], None]  # "created" or "updated", dashboard id, what it is now


class Dashboards:
    """Keeps dashboards. A write is taken when it arrives, however its answer ends.

    Args:
        changed: told of each change, whoever made it.
        seed: of the faults and of the editor.
        now: seconds since the epoch.
    """

    def __init__(
        self, tokens: Tokens, faults: FaultBox, changed: Changed, *, seed: int, now: Callable[[], float] = time.time
    ) -> None:
        self.ledger = DashboardLedger()
        self.documents = Documents()
        self._tokens, self._faults, self._changed, self._now = tokens, faults, changed, now
        self._rng, self._editor = Random(seed), Editor(seed)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PATH}/{{name}}", self._get),
            web.put(f"{PATH}/{{name}}", self._write),
            web.post(f"{PATH}/{{name}}", self._write),
            web.post("/dashboards/edit", self._edit_on_request),
            web.get("/ledger/dashboards", self._counts),
            web.get("/ledger/dashboards/writes", self._writes),
            web.get("/ledger/dashboards/edits", self._edits),
            web.get("/ledger/dashboards/documents", self._documents),
        ]

    async def run(self) -> None:
        """Edit dashboards beside us, as often as the faults say, for ever."""
        due = 0.0
        while True:
            await asyncio.sleep(LOOKS)
            due = min(due + LOOKS * self._faults.now.dashboards_edits, 100.0)
            while due >= 1 and self.documents.names():
                due -= 1
                self._strike(self._editor.whom(self.documents.names()))

    def edit(self, name: str, path: list[str | int], value: Any, by: str) -> Stored:
        """Change one field of a dashboard in somebody's name; create it with an empty path. Raises UnfitError."""
        before = self.documents.get(name)
        if before is None and path:
            raise UnfitError("There is no such dashboard.")
        document = changed(before.document, path, value) if before is not None and path else value
        stored = self.documents.write(name, document, by=by, now=self._now())
        self.ledger.edited(
            at=self._now(), dashboard_id=name, path=tuple(path), value=value, by=by, etag_after=stored.etag
        )
        self._changed("updated" if before else "created", name, stored)
        return stored

    def _strike(self, name: str) -> None:
        stored = self.documents.get(name)
        if stored is not None:
            path, value, by = self._editor.edit(stored.document, self._faults.now.dashboards_edit_fields)
            self.edit(name, path, value, by)

    async def _get(self, request: web.Request) -> web.Response:
        self.ledger.called(self._now())
        response = self._refused(request, "dashboard:read") or self._found(request.match_info["name"])
        self.ledger.read(response.status)
        await self._take_time()
        return response

    def _found(self, name: str) -> web.Response:
        stored = self.documents.get(name)
        if stored is None:
            return _error(404, "dashboard.not.found", f"The dashboard '{name}' does not exist.")
        return json(stored.document, headers=self._tag(stored))

    async def _write(self, request: web.Request) -> web.StreamResponse:
        self.ledger.called(self._now())
        try:
            body = await request.read()
        except BaseException:
            self.ledger.cut += 1
            raise
        name, faults = request.match_info["name"], self._faults.now
        response = self._refused(request, "dashboard:write")
        if response is None and self._rng.random() < faults.dashboards_storm:
            self._strike(name)
        before = self.documents.get(name)
        if response is None:
            response = self._written(request, name, body, before)
        taken = response.status < 300  # noqa: PLR2004
        drawn = self._rng.random() if taken else 1.0
        heard = drawn >= faults.dashboards_lost
        if heard and drawn - faults.dashboards_lost < faults.dashboards_502:
            response = _error(502, "bad.gateway", "The gateway got no answer.")
        after = self.documents.get(name)
        self.ledger.wrote(
            at=self._now(),
            method=request.method,
            dashboard_id=name,
            key=request.headers.get("Idempotency-Key") or request.headers.get("CorrelationId"),
            if_match=request.headers.get("If-Match"),
            payload_hash=payload_hash(body),
            status=response.status,
            etag_before=before.etag if before else None,
            etag_after=after.etag if taken and after else None,
            heard=heard,
        )
        await self._take_time()
        if not heard and request.transport is not None:
            request.transport.abort()
        return response

    def _written(self, request: web.Request, name: str, body: bytes, before: Stored | None) -> web.Response:
        match = request.headers.get("If-Match")
        if request.method == "POST" and before is not None:
            return _error(409, "dashboard.exists", f"The dashboard '{name}' exists already.")
        if request.method == "PUT" and before is None:
            return _error(404, "dashboard.not.found", f"The dashboard '{name}' does not exist.")
        if before is not None and match is not None and match not in {"*", before.etag}:
            return _error(412, "precondition.failed", "The dashboard was changed.", self._tag(before))
        try:
            document = orjson.loads(body)
            stored = self.documents.write(name, document, by=US, now=self._now())
        except (UnfitError, orjson.JSONDecodeError) as wrong:
            words = str(wrong) if isinstance(wrong, UnfitError) else "The body is no JSON."
            return _error(400, "bad.request", words)
        self.ledger.blind += before is not None and match in {None, "*"}
        self.ledger.fields_dropped += before is not None and not set(before.document) - set(OWN) <= set(document)
        self._changed("updated" if before else "created", name, stored)
        return json(stored.document, 200 if before else 201, self._tag(stored))

    def _refused(self, request: web.Request, scope: str) -> web.Response | None:
        """Return why a call is not looked at, or None."""
        if refusal := unauthorized(self._tokens, request, self._now(), scope):
            return refusal
        if fault := self._faults.take("dashboards"):
            return refused(fault)
        faults, drawn = self._faults.now, self._rng.random()
        if drawn < faults.dashboards_500:
            return _error(503, "service.unavailable", "The service is unavailable.")
        if drawn - faults.dashboards_500 < faults.dashboards_429:
            self.ledger.closed(self._now() + faults.dashboards_retry_after)
            headers = {"Retry-After": f"{faults.dashboards_retry_after:g}"}
            return _error(429, "too.many.requests", "Rate limit exceeded.", headers)
        return None

    def _tag(self, stored: Stored) -> dict[str, str]:
        match self._faults.now.dashboards_etags:
            case "weak":
                return {"ETag": f"W/{stored.etag}"}
            case "compressed":
                return {"ETag": f'{stored.etag[:-1]}-gzip"', "Content-Encoding": "identity"}
            case "missing":
                return {}
            case _:
                return {"ETag": stored.etag}

    async def _take_time(self) -> None:
        if seconds := self._faults.now.dashboards_seconds:
            await asyncio.sleep(seconds)

    async def _edit_on_request(self, request: web.Request) -> web.Response:
        only_json(request)
        try:
            match orjson.loads(await request.read()):
                case {"id": str(name), "path": list(path), "value": value, **rest}:
                    stored = self.edit(name, path, value, str(rest.get("by", SOMEBODY)))
                    return json(stored.document, headers=self._tag(stored))
        except (UnfitError, orjson.JSONDecodeError) as wrong:
            return json({"error": str(wrong)}, 400)
        return json({"error": "an edit is an object with id, path (a list) and value"}, 400)

    async def _counts(self, _: web.Request) -> web.Response:
        return json(self.ledger.counts())

    async def _writes(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.ledger.writes())

    async def _edits(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.ledger.edits())

    async def _documents(self, request: web.Request) -> web.StreamResponse:
        return await lines(request, self.documents.rows())


def unauthorized(tokens: Tokens, request: web.Request, now: float, *scopes: str) -> web.Response | None:
    """Return the refusal of a call whose token is none, or lacks one of `scopes`."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not tokens.valid(token, now):
        return _error(401, "unauthorized", "The access token is invalid or has expired.")
    for scope in scopes:
        if not tokens.allows(token, scope):
            return _error(403, "missing.scope", f"The access token lacks the scope {scope}.")
    return None


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return json({"code": code, "message": message}, status, headers)
