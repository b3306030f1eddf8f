"""A minute of dashboards under attack: `make faults` (SEED=... repeats the choices; the moments are the machine's).

50 dashboards, two appliers, somebody in CXone with 5 edits a second, 10 % 503, 5 % 429, 5 % lost answers, and three
kill -9 of the worker. In the end every applied change is there unless a later one replaced it, every conflict was
reported, no edit of others is lost, the audit trail has every PUT that CXone saw, and its chain holds.
"""

import asyncio
import json
import time
import uuid
from collections import Counter
from random import Random
from typing import Any

import aiohttp
import pytest

from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.topic_reader import Start, TopicReader
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Simulation, serve
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import DashboardCommand
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from streams.core.audit.chain_check import ChainCheck
from streams.demo.judges.audit import lost_edits, mistakes
from streams.programs import dashboards as program
from streams.stages.dashboards.files import check
from streams.topology import topics
from tests.kafka.conftest import NewWorker

NUMBER, SECONDS, KILLS = 50, 60, 3
FAULTS = {
    "dashboards_500": 0.10,
    "dashboards_429": 0.05,
    "dashboards_retry_after": 0.05,
    "dashboards_lost": 0.05,
    "dashboards_edits": 5,
}
REFUSED_UNREAD = {401, 429}  # the same attempt comes again

FILE = """\
id: {id}
name: {name}
description: {description}
widgets:
  - {{title: A, type: metric, position: {{x: 0, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
"""


def command(kind: str, dashboard: str, name: str, description: str, *, create: bool = False) -> DashboardCommand:
    text = FILE.format(id=dashboard, name=name, description=description)
    now = time.time_ns() // 1_000_000
    document = check(text, "f", now / 1000).document
    return DashboardCommand(
        command_id=uuid.uuid4().hex,
        dashboard_id=dashboard,
        kind=kind,
        document=json.dumps(document),
        create=create,
        etag=None,
        actor="storm",
        issued_at=now,
        expires_at=now + 600_000,
    )


async def applier(name: str, random: Random, until: float, sent: list[DashboardCommand]) -> None:
    """Apply a file of some dashboard, again and again, and follow what becomes of it."""
    number = 0
    while time.monotonic() < until:
        batch = []
        for dashboard in random.sample(range(NUMBER), 5):
            number += 1
            description = f"{name}-{number}" if random.random() < 0.3 else "as it was"
            batch.append(command("apply", f"d{dashboard}", f"{name}-{number}", description))
        await program.publish(batch)
        sent += batch
        await asyncio.sleep(random.uniform(0.2, 1.0))


def read(bootstrap: str, topic: str, record: type[Any]) -> list[tuple[int, Any]]:
    reader = TopicReader({"bootstrap.servers": bootstrap})
    decode = Codec(FileSchemaIds()).decoder(record)
    found = [(each.partition, decode(each.value or b"")) for each in reader.read(topic, Start())]
    reader.close()
    return found


async def rows(http: aiohttp.ClientSession, url: str) -> list[Any]:
    async with http.get(url) as answer:
        return [json.loads(line) for line in (await answer.read()).splitlines()]


async def fault(http: aiohttp.ClientSession, url: str, **faults: Any) -> None:
    async with http.post(url, json=faults) as answer:
        assert answer.status == 200, await answer.text()


async def test_two_appliers_beside_an_editor_and_kills(
    own_kafka: Broker, new_worker: NewWorker, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = own_kafka.bootstrap
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=4)
    names = [f"d{number}" for number in range(NUMBER)]

    plan = Plan(number=0, seed=seed)
    async with serve(Simulation(plan=plan)) as cxone, aiohttp.ClientSession() as http:
        base = cxone.dashboards_url.removesuffix("/api/v2/dashboards")
        settings = {
            "CXONE_CLIENT_ID": "simulator",
            "CXONE_CLIENT_SECRET": "simulator-secret",
            "CXONE_DASHBOARDS_TOKEN_URL": f"{base}/oauth/v2/token",
            "CXONE_DASHBOARDS_API_URL": base,
            "DASHBOARDS_RETRY_BASE": "0.2",
            "DASHBOARDS_RETRY_CAP": "2",
        }
        worker = new_worker(bootstrap, "dashboards", **settings)
        await asyncio.to_thread(lambda: worker.start().ready())
        made = [command("apply", name, "first", "as it was", create=True) for name in names]
        await program.publish(made)
        begun = await program.follow(made, lambda _: None, until=time.time() + 60)
        assert {each.status for each in begun.values()} == {"applied"}
        await fault(http, cxone.faults_url, **FAULTS)

        sent: list[DashboardCommand] = []
        until = time.monotonic() + SECONDS
        running = [asyncio.create_task(applier(name, Random(seed + n), until, sent)) for n, name in enumerate("ab")]
        for _ in range(KILLS):
            await asyncio.sleep(SECONDS / (KILLS + 1))
            worker.kill()
            await asyncio.to_thread(worker.start)
        await asyncio.gather(*running)
        outcomes = await program.follow(sent, lambda _: None, until=time.time() + 120)
        await fault(http, cxone.faults_url, **dict.fromkeys(FAULTS, 0))
        assert await asyncio.to_thread(worker.terminate) == 0
        writes, edits, documents = [
            await rows(http, f"{cxone.dashboards_ledger_url}/{what}") for what in ("writes", "edits", "documents")
        ]
        async with http.get(cxone.dashboards_ledger_url) as answer:
            counts = await answer.json()

    entries = read(bootstrap, "cxone.dashboard.audit", AuditEntry)
    seen = [row for row in writes if row["status"] not in REFUSED_UNREAD]
    assert {each.command_id for each in sent} == set(outcomes), "a command came to no end"
    assert {each.status for each in outcomes.values()} <= {"applied", "conflict", "contended"}
    assert chains(entries) == []
    assert mistakes(seen, (entry for _, entry in entries)) == []
    assert lost_edits(edits, documents) == []
    assert (counts["blind"], counts["fields_dropped"]) == (0, 0)
    applied_last(sent, outcomes, {row["id"]: row["document"] for row in documents})
    trail = {(entry.record.attempt, entry.record.kind): entry.record for _, entry in entries}
    figures = {
        "commands": len(sent),
        **Counter(each.status for each in outcomes.values()),
        "conflicting fields": sum(len(json.loads(each.conflicts)) for each in outcomes.values()),
        "writes that CXone saw": len(seen),
        "intents": sum(kind == "intent" for _, kind in trail),
        "settled by a GET": Counter(str(each.status) for (_, kind), each in trail.items() if kind == "settled"),
        "edits of others": len(edits),
        "answers": counts["statuses"],
    }
    print(figures)  # noqa: T201 - what the storm showed


def chains(entries: list[tuple[int, AuditEntry]]) -> list[str]:
    """Return what is wrong with the chains; what was published twice is not."""
    checks: dict[int, ChainCheck] = {}
    for number, (partition, entry) in enumerate(entries):
        checks.setdefault(partition, ChainCheck(partition, whole=True)).take(entry, str(number))
    return [str(each.finding) for each in checks.values() if each.finding is not None]


def applied_last(sent: list[DashboardCommand], outcomes: Any, documents: dict[str, Any]) -> None:
    """Assert that the name which was applied last is there: nobody but us changes names."""
    last: dict[str, str] = {}
    for each in sorted(outcomes.values(), key=lambda each: each.at):
        if each.status == "applied":
            last[each.dashboard_id] = each.command_id
    names = {each.command_id: json.loads(each.document or "")["name"] for each in sent}
    for dashboard, newest in last.items():
        assert documents[dashboard]["name"] == names[newest], dashboard
