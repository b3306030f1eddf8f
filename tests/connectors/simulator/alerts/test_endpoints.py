"""The webhook that is told of alerts."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from connectors.simulator.analytics import traffic
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Addresses, Simulation, serve

ALERT = {"alert_id": "a", "state": "open"}


@pytest.fixture(name="addresses")
async def _addresses() -> AsyncIterator[Addresses]:
    async with serve(Simulation(plan=Plan(number=0), analytics=traffic.Plan(number=0))) as addresses:
        yield addresses


async def test_a_key_is_taken_once_and_another_body_under_it_is_noticed(addresses: Addresses) -> None:
    async with httpx.AsyncClient() as http:
        for key, body in (("a-1", ALERT), ("a-1", ALERT), ("a-1", ALERT | {"state": "resolved"}), ("a-2", ALERT)):
            answer = await http.post(addresses.alerts_url, json=body, headers={"Idempotency-Key": key})
            assert answer.status_code == 200
        counts = (await http.get(addresses.alerts_ledger_url)).json()
        rows = (await http.get(f"{addresses.alerts_ledger_url}/all")).text.splitlines()

    assert counts == {"told": 2, "repeats": 2, "contradictions": 1}
    assert [json.loads(row) for row in rows] == [{"key": "a-1", **ALERT}, {"key": "a-2", **ALERT}]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [(b"{}", {"Idempotency-Key": "k"}, 422), (b"{", {"Idempotency-Key": "k"}, 422), (b'{"alert_id": "a"}', {}, 400)],
)
async def test_what_is_no_alert_is_refused(
    addresses: Addresses, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.post(addresses.alerts_url, content=body, headers=headers)).status_code == status


async def test_it_is_down_on_request(addresses: Addresses) -> None:
    async with httpx.AsyncClient() as http:
        await http.post(addresses.faults_url, json={"alerts": {"status": 503, "times": 1}})
        headers = {"Idempotency-Key": "k"}
        statuses = [(await http.post(addresses.alerts_url, json=ALERT, headers=headers)).status_code for _ in range(2)]

    assert statuses == [503, 200]
