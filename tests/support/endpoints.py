"""The stand-ins of web messaging on real sockets, and clients of another hand for them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from connectors.simulator.faults import Faults
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Addresses, Simulation, serve

SCOPE = "webchat:read routing:write conversations:read users:read"
DASHBOARD_SCOPE = "dashboard:read dashboard:write event:subscribe webhook:write"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "simulator",
    "client_secret": "simulator-secret",
    "scope": SCOPE,
}


@dataclass
class Doors:
    addresses: Addresses
    http: httpx.AsyncClient
    clock: list[float]

    async def token(self, scope: str = SCOPE) -> str:
        answer = await self.http.post(self.addresses.messaging_token_url, data=FORM | {"scope": scope})
        return str(answer.json()["access_token"])

    @asynccontextmanager
    async def connector(self) -> AsyncIterator[ClientConnection]:
        """Connect as `connect messaging` does."""
        async with connect(self.addresses.messaging_ws_url) as ws:
            assert await greeting(ws, await self.token()) == {"type": "auth.ok"}
            yield ws

    def guest(self) -> connect:
        return connect(self.addresses.guests_url)

    async def route(
        self,
        key: str,
        text: str = "Hello",
        *,
        conversation: str = "c-1",
        queue: str = "sales",
        token: str | None = None,
    ) -> httpx.Response:
        body = {
            "type": "webchat",
            "queueId": queue,
            "customer": {"id": "c-1", "firstName": "Guest", "lastName": "f", "email": "guest@temp.cxone.com"},
            "media": {"webchat": {"message": text, "url": ""}},
        }
        bearer = await self.token() if token is None else token
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": key}
        return await self.http.post(self.addresses.routing_url, json=body, headers=headers)

    async def contacts(self, key: str, *records: dict[str, Any]) -> httpx.Response:
        return await self.http.post(self.addresses.crm_url, json=records, headers={"Idempotency-Key": key})

    async def dashboard(  # noqa: PLR0913 - a call is all of these
        self,
        method: str,
        name: str,
        document: object = None,
        *,
        etag: str | None = None,
        token: str | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        bearer = await self.token(DASHBOARD_SCOPE) if token is None else token
        wanted = {"If-Match": etag, "Idempotency-Key": key, "Authorization": f"Bearer {bearer}"}
        headers = {name: value for name, value in wanted.items() if value is not None}
        url = f"{self.addresses.dashboards_url}/{name}"
        body = None if document is None else json.dumps(document)
        return await self.http.request(method, url, content=body, headers=headers)

    async def fault(self, **fault: object) -> None:
        assert (await self.http.post(self.addresses.faults_url, json=fault)).status_code == 200

    async def counts(self, url: str) -> dict[str, Any]:
        counts: dict[str, Any] = (await self.http.get(url)).json()
        return counts

    async def rows(self, url: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (await self.http.get(url)).text.splitlines()]


@asynccontextmanager
async def open_doors(**faults: object) -> AsyncIterator[Doors]:
    clock = [1_772_443_800.0]
    simulation = Simulation(plan=Plan(number=0), faults=Faults.model_validate(faults))
    async with serve(simulation, now=lambda: clock[0]) as addresses, httpx.AsyncClient() as http:
        yield Doors(addresses, http, clock)


async def greeting(ws: ClientConnection, token: str) -> dict[str, Any]:
    await ws.send(json.dumps({"type": "auth", "token": token}))
    answer: dict[str, Any] = json.loads(await ws.recv())
    return answer


async def closing_code(ws: ClientConnection) -> int | None:
    async with asyncio.timeout(60):
        try:
            while True:
                await ws.recv()
        except ConnectionClosed:
            return ws.close_code


def said(text: str, conversation: str = "c-1", **more: object) -> str:
    return json.dumps({"text": text, "conversationId": conversation, "fingerprint": "f-1", **more})
