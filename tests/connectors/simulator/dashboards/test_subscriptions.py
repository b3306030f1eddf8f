"""Subscriptions, and the webhooks that come of changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from connectors.simulator.dashboards.subscriptions import SECRET
from tests.connectors.simulator.dashboards.samples import dashboard
from tests.support.endpoints import DASHBOARD_SCOPE, Doors, open_doors


@pytest.fixture(name="doors")
async def _doors() -> AsyncIterator[Doors]:
    async with open_doors() as doors:
        yield doors


def wanted(url: str = "http://127.0.0.1:1/x", **changes: Any) -> dict[str, Any]:
    return {
        "name": "ours",
        "eventFilters": [{"eventType": f"dashboard.{what}", "entityId": "*"} for what in ("updated", "created")],
        "delivery": {"type": "webhook", "url": url, "retryPolicy": {"maxRetries": 3, "backoff": "exponential"}},
        "active": True,
    } | changes


async def subscribe(doors: Doors, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {await doors.token(DASHBOARD_SCOPE)}"}
    return await doors.http.post(doors.addresses.subscriptions_url, json=body, headers=headers)


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, "asyncio.Queue[tuple[str | None, Any]]"]]:
    """Run an endpoint that answers with these statuses, then with 200."""
    came: asyncio.Queue[tuple[str | None, Any]] = asyncio.Queue()
    left = list(statuses)

    async def take(request: web.Request) -> web.Response:
        await came.put((request.headers.get(SECRET), await request.json()))
        return web.Response(status=left.pop(0) if left else 200)

    app = web.Application()
    app.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", came
    finally:
        await runner.cleanup()


async def test_a_subscription_is_made_and_listed(doors: Doors) -> None:
    made = await subscribe(doors, wanted())

    assert made.status_code == 201
    headers = {"Authorization": f"Bearer {await doors.token(DASHBOARD_SCOPE)}"}
    listed = await doors.http.get(doors.addresses.subscriptions_url, headers=headers)
    assert listed.json() == {"entities": [made.json()]}
    assert made.json()["name"] == "ours"
    await doors.fault(subscriptions_listed=False)
    assert (await doors.http.get(doors.addresses.subscriptions_url, headers=headers)).status_code == 405


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"eventFilters": []},
        {"eventFilters": [{"eventType": "call.ended"}]},
        {"delivery": {"type": "webhook", "url": "https://example.com/x"}},
        {"delivery": {"type": "mail", "url": "http://127.0.0.1/x"}},
    ],
)
async def test_what_is_no_subscription_is_refused(doors: Doors, changes: dict[str, Any]) -> None:
    assert (await subscribe(doors, wanted(**changes))).status_code == 400


async def test_both_scopes_are_needed(doors: Doors) -> None:
    await doors.fault(scopes_withheld=["webhook:write"])

    refused = await subscribe(doors, wanted())

    assert (refused.status_code, "webhook:write" in refused.text) == (403, True)


async def test_changes_come_as_webhooks_and_are_tried_again(doors: Doors) -> None:
    async with receiver(500) as (url, came), asyncio.timeout(60):
        await subscribe(doors, wanted(url))
        await doors.dashboard("POST", "d-1", dashboard())

        secret, event = await came.get()
        again = await came.get()

    assert again == (secret, event)
    assert secret == "simulator-webhook-secret"
    assert (event["eventType"], event["entityId"]) == ("dashboard.created", "d-1")
    assert event["data"]["modifiedBy"] == {"name": "cxone-streams"}


async def test_a_webhook_is_sent_twice_on_request(doors: Doors) -> None:
    await doors.fault(webhooks_repeated=1.0)
    async with receiver() as (url, came), asyncio.timeout(60):
        await subscribe(doors, wanted(url, active=False))
        await subscribe(doors, wanted(url, eventFilters=[{"eventType": "dashboard.updated", "entityId": "other"}]))
        await subscribe(doors, wanted(url))
        await doors.dashboard("POST", "d-1", dashboard())

        first, second = await came.get(), await came.get()

    assert first == second
    assert (await doors.counts(doors.addresses.subscriptions_ledger_url))["subscriptions"] == {"ours": 3}
