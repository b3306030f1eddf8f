"""Both stand-ins on real sockets, spoken with by clients of another hand."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from connectors.simulator.cxone.outbox import Outbox
from connectors.simulator.faults import Faults
from connectors.simulator.interactions.traffic import Plan, deliveries
from connectors.simulator.server import Addresses, Simulation, serve
from tests.support.endpoints import closing_code

FORM = {
    "grant_type": "client_credentials",
    "client_id": "simulator",
    "client_secret": "simulator-secret",
    "scope": "view:interaction read:interaction",
}
AUTH = {"Authorization": "Token simulator-token"}
TARGET = {"org": "cxone", "bucket": "cxone", "precision": "s"}
LINE = "cxone_metrics,campaign_id=a\\ b count=1i,p50=2.5 1772443800"
AT_ONCE = Plan(rate=1e6, number=500, redelivered=0.1, malformed=0.02)
NOTHING_MORE = 0.05


@dataclass
class Bench:
    """The stand-ins and a client for them."""

    addresses: Addresses
    http: httpx.AsyncClient
    clock: list[float]

    async def token(self) -> str:
        return str((await self.http.post(self.addresses.token_url, data=FORM)).json()["access_token"])

    def socket(self, token: str) -> connect:
        return connect(f"{self.addresses.ws_url}?access_token={token}")

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[ClientConnection]:
        async with self.socket(await self.token()) as ws:
            await ws.send('{"subscription":["interaction.completed"]}')
            assert json.loads(await ws.recv())["type"] == "subscription.confirmed"
            yield ws

    async def fault(self, **fault: object) -> None:
        assert (await self.http.post(self.addresses.faults_url, json=fault)).status_code == 200

    async def ledger(self) -> dict[str, Any]:
        counts: dict[str, Any] = (await self.http.get(self.addresses.ledger_url)).json()
        return counts

    async def confirmed(self) -> dict[str, Any]:
        """Return the ledger once a client has confirmed everything: its pongs come after the frames."""
        async with asyncio.timeout(60):
            while not (counts := await self.ledger())["finished"]:  # noqa: ASYNC110 - behind HTTP
                await asyncio.sleep(0.005)
        return counts

    async def truth(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (await self.http.get(self.addresses.truth_url)).text.splitlines()]

    async def write(self, body: str, **params: str) -> httpx.Response:
        url = f"{self.addresses.influx_url}/api/v2/write"
        return await self.http.post(url, params=TARGET | params, headers=AUTH, content=body)

    async def points(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.http.get(self.addresses.points_url)).json()
        return rows


@asynccontextmanager
async def running(plan: Plan = AT_ONCE, faults: Faults | None = None) -> AsyncIterator[Bench]:
    clock = [1_772_443_800.0]
    simulation = Simulation(plan=plan, faults=faults or Faults())
    async with serve(simulation, now=lambda: clock[0]) as addresses, httpx.AsyncClient() as http:
        clock[0] += 1
        yield Bench(addresses, http, clock)


@pytest.fixture(name="bench")
async def _bench() -> AsyncIterator[Bench]:
    async with running() as bench:
        yield bench


async def everything(ws: ClientConnection, plan: Plan = AT_ONCE) -> list[str]:
    """Receive as many frames as the plan has."""
    async with asyncio.timeout(60):
        return [await ws.recv(decode=True) for _ in deliveries(plan, started_at=0)]


async def silent(ws: ClientConnection) -> bool:
    try:
        await asyncio.wait_for(ws.recv(), NOTHING_MORE)
    except TimeoutError:
        return True
    return False


def ids(frames: list[str]) -> list[str]:
    return [json.loads(frame)["eventId"] for frame in frames if frame.endswith("}")]


async def test_what_waited_for_a_client_is_delivered_and_in_the_ledger(bench: Bench) -> None:
    async with bench.subscribed() as ws:
        frames = await everything(ws)
        ledger = await bench.confirmed()
        assert await silent(ws)

    truth = await bench.truth()
    malformed = sum(ledger["events_malformed"].values())
    assert len(frames) == ledger["events_sent"] + ledger["events_redelivered"] + malformed
    assert ledger["events_sent"] + malformed == 500
    assert {event["event_id"] for event in truth} <= set(ids(frames))
    assert len(truth) == ledger["events_sent"]
    assert set(truth[0]) == {"event_id", "campaign_id", "completed_at", "handle_time", "wait_time"}


async def test_nothing_is_sent_without_a_subscription(bench: Bench) -> None:
    async with bench.socket(await bench.token()) as ws:
        assert await silent(ws)

    assert (await bench.ledger())["events_sent"] == 0


async def test_another_first_message_is_refused(bench: Bench) -> None:
    async with bench.socket(await bench.token()) as ws:
        await ws.send('{"subscription":["everything"]}')

        assert await closing_code(ws) == 4400


async def test_after_a_broken_connection_frames_are_redelivered(bench: Bench) -> None:
    async with bench.subscribed() as ws:
        first = [await ws.recv() for _ in range(3)]
        ws.transport.abort()

    async with bench.subscribed() as ws:
        frames = await everything(ws)

    assert frames[:3] == first
    truth = {event["event_id"] for event in await bench.truth()}
    assert truth <= set(ids(frames))
    assert (await bench.ledger())["events_sent"] == len(truth)


async def test_what_a_client_confirmed_a_while_ago_is_not_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.subscribed() as ws:
        await everything(ws)
        await bench.confirmed()
    forgotten, forget = asyncio.Event(), Outbox.forget

    def noted(outbox: Outbox[Any], now: float) -> None:
        forget(outbox, now)
        if outbox.end and outbox.oldest == outbox.end:
            forgotten.set()

    monkeypatch.setattr(Outbox, "forget", noted)
    bench.clock[0] += 6
    async with asyncio.timeout(60):
        await forgotten.wait()

    async with bench.subscribed() as ws:
        assert await silent(ws)


async def test_two_sockets_at_once_both_get_everything(bench: Bench) -> None:
    async with bench.subscribed() as old, bench.subscribed() as new:
        assert sorted(ids(await everything(old))) == sorted(ids(await everything(new)))


@pytest.mark.parametrize(
    ("change", "status"), [({"client_secret": "wrong"}, 401), ({"scope": "x"}, 403), ({"grant_type": "x"}, 400)]
)
async def test_wrong_credentials_get_no_token(bench: Bench, change: dict[str, str], status: int) -> None:
    assert (await bench.http.post(bench.addresses.token_url, data=FORM | change)).status_code == status


async def test_a_made_up_token_gets_no_socket(bench: Bench) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await bench.socket("made-up")

    assert refused.value.response.status_code == 401


async def test_a_socket_closes_when_its_token_ends(bench: Bench) -> None:
    await bench.fault(expires_in=60)

    async with bench.subscribed() as ws:
        bench.clock[0] += 61

        assert await closing_code(ws) == 4001


async def test_a_revoked_token_closes_its_socket(bench: Bench) -> None:
    async with bench.subscribed() as ws:
        await bench.fault(revoke=True)

        assert await closing_code(ws) == 4001


async def test_closes_with_the_code_asked_for(bench: Bench) -> None:
    async with bench.subscribed() as ws:
        await bench.fault(close=1012)

        assert await closing_code(ws) == 1012


async def test_a_silent_socket_neither_sends_nor_answers_pings() -> None:
    plan = Plan(rate=1e6, number=1)
    async with running(plan) as bench, bench.subscribed() as ws:
        await everything(ws, plan)
        await asyncio.wait_for(await ws.ping(), 30)

        await bench.fault(silence=True)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await ws.ping(), NOTHING_MORE)
        ws.transport.abort()


async def test_refuses_handshakes_on_request(bench: Bench) -> None:
    await bench.fault(handshake={"status": 401, "times": 1})

    with pytest.raises(InvalidStatus):
        await bench.socket(await bench.token())
    async with bench.subscribed() as ws:
        assert await everything(ws)


async def test_refuses_tokens_on_request() -> None:
    refusal = Faults.model_validate({"token": {"status": 429, "retry_after": "7", "times": 1}})

    async with running(faults=refusal) as bench:
        answer = await bench.http.post(bench.addresses.token_url, data=FORM)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert await bench.token()


async def test_a_fault_that_does_not_exist_is_refused(bench: Bench) -> None:
    assert (await bench.http.post(bench.addresses.faults_url, json={"tokens": None})).status_code == 400


async def test_points_are_kept_and_replaced(bench: Bench) -> None:
    assert (await bench.write(LINE)).status_code == 204
    assert (await bench.write(LINE.replace("count=1i", "count=2i"))).status_code == 204

    assert await bench.points() == [
        {
            "measurement": "cxone_metrics",
            "tags": {"campaign_id": "a b"},
            "fields": {"count": 2, "p50": 2.5},
            "time": 1_772_443_800_000_000_000,
        }
    ]


async def test_takes_gzip(bench: Bench) -> None:
    answer = await bench.http.post(
        f"{bench.addresses.influx_url}/api/v2/write",
        params=TARGET,
        headers=AUTH | {"Content-Encoding": "gzip"},
        content=gzip.compress(LINE.encode()),
    )

    assert answer.status_code == 204
    assert len(await bench.points()) == 1


async def test_an_empty_write_is_fine(bench: Bench) -> None:
    assert (await bench.write("")).status_code == 204


async def test_one_bad_line_refuses_the_whole_batch(bench: Bench) -> None:
    answer = await bench.write(f"{LINE}\nm v=NaN 1")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert await bench.points() == []


async def test_a_conflict_refuses_that_point_only(bench: Bench) -> None:
    await bench.write("m count=1i 1")

    answer = await bench.write("m count=2.5 2\nm count=3i 3")

    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable entity")
    assert "dropped=1" in answer.json()["message"]
    assert len(await bench.points()) == 2


@pytest.mark.parametrize(
    ("params", "status", "code"), [({"bucket": "x"}, 404, "not found"), ({"org": "x"}, 404, "not found")]
)
async def test_the_place_must_exist(bench: Bench, params: dict[str, str], status: int, code: str) -> None:
    answer = await bench.write(LINE, **params)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_wrong_influx_token_is_refused(bench: Bench) -> None:
    url = f"{bench.addresses.influx_url}/api/v2/write"

    answer = await bench.http.post(url, params=TARGET, headers={"Authorization": "Token x"}, content=LINE)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_influx_faults_on_request(bench: Bench) -> None:
    await bench.fault(influx={"status": 429, "retry_after": "2", "times": 1}, influx_refuse="a b")

    limited = await bench.write(LINE)
    partial = await bench.write(f"{LINE}\nm,campaign_id=c v=1 1")

    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")
    assert partial.status_code == 422
    assert [row["measurement"] for row in await bench.points()] == ["m"]


async def test_influx_is_healthy(bench: Bench) -> None:
    assert (await bench.http.get(f"{bench.addresses.influx_url}/health")).json()["status"] == "pass"
    assert (await bench.http.get(f"{bench.addresses.influx_url}/ping")).status_code == 204


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_web_pages_change_nothing(headers: dict[str, str]) -> None:
    async with serve(Simulation(plan=Plan(number=0))) as addresses, httpx.AsyncClient() as http:
        refused = await http.post(addresses.faults_url, json={"token": {"status": 500}}, headers=headers)
        shown = await http.get(addresses.faults_url)

    assert refused.status_code == 403
    assert shown.json()["token"] is None


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_nor_does_what_a_form_can_send(type_: str) -> None:
    headers = {"Content-Type": type_}
    async with serve(Simulation(plan=Plan(number=0))) as addresses, httpx.AsyncClient() as http:
        for url in (addresses.faults_url, addresses.dashboards_edit_url):
            refused = await http.post(url, content=b'{"token": {"status": 500}}', headers=headers)
            assert refused.status_code == 415
        shown = await http.get(addresses.faults_url)

    assert shown.json()["token"] is None
