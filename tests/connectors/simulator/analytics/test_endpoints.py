"""The analytics endpoints of the stand-in, spoken with by clients of another hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from connectors.simulator.analytics import traffic
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Addresses, Simulation, serve
from tests.support.endpoints import closing_code

SCOPE = "analytics:read realtime:read events:subscribe"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "simulator",
    "client_secret": "simulator-secret",
    "scope": SCOPE,
}
WANTED = {
    "subscriptionName": "test",
    "eventType": "interaction",
    "filters": {"status": "active"},
    "requestedFields": ["interactionId", "metrics.state"],
}


@dataclass
class System:
    addresses: Addresses
    http: httpx.AsyncClient
    clock: list[float]

    async def token(self, scope: str = SCOPE) -> str:
        answer = await self.http.post(self.addresses.analytics_token_url, data=FORM | {"scope": scope})
        return str(answer.json()["access_token"])

    async def eventsub(self, method: str = "POST", path: str = "", token: str | None = None) -> httpx.Response:
        bearer = await self.token() if token is None else token
        url = f"{self.addresses.analytics_api_url}/api/v2/analytics/eventsub{path}"
        body = WANTED if method == "POST" else None
        return await self.http.request(method, url, headers={"Authorization": f"Bearer {bearer}"}, json=body)

    async def subscribed(self) -> str:
        return str((await self.eventsub()).json()["subscriptionId"])

    @asynccontextmanager
    async def socket(self, token: str | None = None) -> AsyncIterator[ClientConnection]:
        bearer = await self.token() if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"}
        async with connect(self.addresses.analytics_ws_url, additional_headers=headers) as ws:
            yield ws

    async def fault(self, **fault: object) -> None:
        assert (await self.http.post(self.addresses.faults_url, json=fault)).status_code == 200

    async def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = (await self.http.get(self.addresses.analytics_ledger_url)).json()
        return counts


@pytest.fixture(name="system")
async def _system() -> AsyncIterator[System]:
    clock = [1_772_443_800.0]
    simulation = Simulation(
        plan=Plan(number=0), analytics=traffic.Plan(number=40, rate=1e6, malformed=0, redelivered=0)
    )
    async with serve(simulation, now=lambda: clock[0]) as addresses, httpx.AsyncClient() as http:
        clock[0] += 1
        yield System(addresses, http, clock)


def hello(subscription: str, **changes: object) -> str:
    message = {"type": "subscribe", "subscriptionId": subscription, "events": ["interaction", "agent", "queue"]}
    return json.dumps({**message, "format": "json", **changes})


async def test_a_subscriber_gets_every_event_and_the_ledger_knows_them(system: System) -> None:
    subscription = await system.subscribed()

    async with system.socket() as ws:
        await ws.send(hello(subscription))
        assert json.loads(await ws.recv()) == {"type": "subscribed"}
        frames = [json.loads(await ws.recv()) for _ in range(40)]

    counts = await system.counts()
    rows = [
        json.loads(line)
        for line in (await system.http.get(f"{system.addresses.analytics_ledger_url}/events")).text.splitlines()
    ]
    assert (counts["events_sent"], counts["subscriptions"]) == (40, 1)
    assert [row["number"] for row in rows] == [frame["metadata"]["sequence"] for frame in frames] == list(range(40))
    assert {frame["metadata"]["source"] for frame in frames} == {"simulator"}


async def test_who_shows_no_token_or_one_that_may_not_is_told_apart(system: System) -> None:
    may_not = await system.token("analytics:read")

    assert (await system.eventsub(token="made-up")).status_code == 401
    assert (await system.eventsub(token=may_not)).status_code == 403
    assert (await system.eventsub()).status_code == 201
    for token, status in (("made-up", 401), (may_not, 403)):
        with pytest.raises(InvalidStatus) as refused:
            async with system.socket(token):
                pass
        assert refused.value.response.status_code == status


async def test_a_field_is_refused_on_request_and_named(system: System) -> None:
    await system.fault(eventsub_fields_refused=["metrics.state"])

    answer = await system.eventsub()

    assert answer.status_code == 422
    assert "'metrics.state'" in answer.json()["message"]


async def test_requests_are_refused_on_request(system: System) -> None:
    await system.fault(eventsub={"status": 429, "retry_after": "7", "times": 1})

    first, second = await system.eventsub(), await system.eventsub()

    assert (first.status_code, first.headers["Retry-After"], second.status_code) == (429, "7", 201)


async def test_a_subscription_that_is_not_known_is_an_error_frame_and_1008(system: System) -> None:
    async with system.socket() as ws:
        await ws.send(hello("sub-999999"))

        assert json.loads(await ws.recv())["code"] == "unknown_subscription"
        assert await closing_code(ws) == 1008


async def test_what_is_forgotten_is_told_to_rest_and_to_open_sockets(system: System) -> None:
    subscription = await system.subscribed()
    assert (await system.eventsub("GET", f"/{subscription}")).status_code == 200
    async with system.socket() as ws:
        await ws.send(hello(subscription))
        for _ in range(41):
            await ws.recv()

        await system.fault(forget=True)

        assert json.loads(await ws.recv())["code"] == "unknown_subscription"
        assert await closing_code(ws) == 1008
    assert (await system.eventsub("GET", f"/{subscription}")).status_code == 404
    assert (await system.counts())["subscriptions"] == 0
    assert not (await system.http.get(system.addresses.faults_url)).json()["forget"]


async def test_a_subscription_is_deleted_once(system: System) -> None:
    subscription = await system.subscribed()

    statuses = [(await system.eventsub("DELETE", f"/{subscription}")).status_code for _ in range(2)]

    assert statuses == [204, 404]


@pytest.mark.parametrize(
    "message", ["nonsense", hello("s", format="xml"), hello("s", events=[]), hello("s", events=["x"])]
)
async def test_what_is_no_subscription_closes_the_socket(system: System, message: str) -> None:
    async with system.socket() as ws:
        await ws.send(message)

        assert await closing_code(ws) == 4400


async def test_a_socket_closes_when_its_token_ends(system: System) -> None:
    subscription = await system.subscribed()
    async with system.socket() as ws:
        await ws.send(hello(subscription))
        await ws.recv()
        system.clock[0] += 3601

        assert await closing_code(ws) == 4001
