"""A minute of dashboards under attack: `make faults` (SEED=... repeats the choices; the moments are the machine's).

50 dashboards, two appliers, somebody in CXone with 5 edits a second, 10 % 503, 5 % 429, 5 % lost answers, and three
kill -9 of the worker. In the end every applied change is there unless a later one replaced it, every conflict was
reported, no edit of others is lost, the audit trail has every PUT that CXone saw, and its chain holds.
"""

import asyncio
import json
import time
import uuid
from collections import Counter, defaultdict
from random import Random
from typing import Any

import pytest

from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.topic_reader import Start, TopicReader
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import DashboardCommand
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from streams.core.audit.chain_check import ChainCheck
from streams.programs import dashboards as program
from streams.stages.dashboards.files import check
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.support.dashboards_api import DashboardsApi, serve

NUMBER, SECONDS, KILLS = 50, 60, 3
OURS = ("name", "description")

FILE = """\
id: {id}
name: {name}
description: {description}
widgets:
  - {{title: A, type: metric, position: {{x: 0, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
"""


def command(kind: str, dashboard: str, name: str, description: str) -> DashboardCommand:
    text = FILE.format(id=dashboard, name=name, description=description)
    now = time.time_ns() // 1_000_000
    document = check(text, "f", now / 1000).document
    return DashboardCommand(
        command_id=uuid.uuid4().hex,
        dashboard_id=dashboard,
        kind=kind,
        document=json.dumps(document),
        create=False,
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


async def editor(api: DashboardsApi, random: Random, until: float) -> dict[tuple[str, str], str]:
    """Edit in CXone; return the last value of each field."""
    last: dict[tuple[str, str], str] = {}
    number = 0
    while time.monotonic() < until:
        number += 1
        dashboard = f"d{random.randrange(NUMBER)}"
        field = random.choice(["theirs", "colour", "description"])
        api.edit(dashboard, **{field: f"foreign-{number}"})
        last[dashboard, field] = f"foreign-{number}"
        await asyncio.sleep(0.2)
    return last


def read(bootstrap: str, topic: str, record: type[Any]) -> list[tuple[int, Any]]:
    reader = TopicReader({"bootstrap.servers": bootstrap})
    decode = Codec(FileSchemaIds()).decoder(record)
    found = [(each.partition, decode(each.value or b"")) for each in reader.read(topic, Start())]
    reader.close()
    return found


async def test_two_appliers_beside_an_editor_and_kills(
    own_kafka: Broker, new_worker: NewWorker, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap, random = own_kafka.bootstrap, Random(seed)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=4)
    document: Any = check(FILE.format(id="d", name="first", description="as it was"), "f", time.time()).document
    widget = {"type": "metric", "title": "A", "layout": {"x": 0, "y": 0, "w": 1, "h": 1}, "refreshInterval": 10}
    start = {name: value for name, value in document.items() if name not in {"id", "widgets"}}
    documents = {f"d{number}": {**start, "owner": number, "widgets": [widget]} for number in range(NUMBER)}

    async with serve(DashboardsApi(documents)) as api:
        worker = new_worker(
            bootstrap, "dashboards", DASHBOARDS_RETRY_BASE="0.2", DASHBOARDS_RETRY_CAP="2", **api.settings
        )
        await asyncio.to_thread(lambda: worker.start().ready())
        adopt = [command("adopt", name, "first", "as it was") for name in documents]
        await program.publish(adopt)
        await program.follow(adopt, lambda _: None, until=time.time() + 60)
        api.chance = random

        sent: list[DashboardCommand] = []
        until = time.monotonic() + SECONDS
        running = [asyncio.create_task(applier(name, Random(seed + n), until, sent)) for n, name in enumerate("ab")]
        editing = asyncio.create_task(editor(api, Random(seed + 9), until))
        for _ in range(KILLS):
            await asyncio.sleep(SECONDS / (KILLS + 1))
            worker.kill()
            await asyncio.to_thread(worker.start)
        await asyncio.gather(*running)
        last = await editing
        api.chance = None
        outcomes = await program.follow(sent, lambda _: None, until=time.time() + 120)
        assert await asyncio.to_thread(worker.terminate) == 0

    statuses = Counter(each.status for each in outcomes.values())
    entries = read(bootstrap, "cxone.dashboard.audit", AuditEntry)
    figures = judged(api, sent, outcomes, last, entries)
    print({"commands": len(sent), **statuses, **figures})  # noqa: T201 - what the storm showed


def judged(
    api: DashboardsApi,
    sent: list[DashboardCommand],
    outcomes: Any,
    last: dict[tuple[str, str], str],
    entries: list[tuple[int, AuditEntry]],
) -> dict[str, int]:
    """Compare what was said with what CXone saw and has. Returns figures."""
    assert {each.command_id for each in sent} == set(outcomes), "a command came to no end"
    assert {each.status for each in outcomes.values()} <= {"applied", "conflict", "contended"}
    # the chain holds, and what was published twice is the same
    checks: dict[int, ChainCheck] = {}
    trail: dict[tuple[str, str], Any] = {}
    for number, (partition, entry) in enumerate(entries):
        chain = checks.setdefault(partition, ChainCheck(partition, whole=True))
        chain.take(entry, str(number))
        assert chain.finding is None, chain.finding
        trail.setdefault((entry.record.attempt, entry.record.kind), entry.record)
    # every PUT that CXone saw has an intent of its own; an intent without one never went out
    records = list(trail.values())
    intents = Counter((each.dashboard_id, each.payload_hash) for each in records if each.kind == "intent")
    puts = Counter((dashboard, hashed) for dashboard, hashed, _ in api.taken)
    assert not puts - intents, "CXone saw a PUT that the audit trail has not"
    unsent = intents - puts
    outcome = {each.attempt: each for each in records if each.kind == "outcome"}
    settled = {each.attempt: each for each in records if each.kind == "settled"}
    for each in records:
        if each.kind == "intent":
            assert outcome[each.attempt].status is not None
            assert (outcome[each.attempt].status == "unknown") == (each.attempt in settled)
    taken = sum(answer == 200 for *_, answer in api.taken)
    said = sum(each.status == "applied" for each in (*outcome.values(), *settled.values()))
    unsure = sum(each.status == "unknown" for each in settled.values())
    assert said <= taken <= said + unsure
    # no PUT of ours took an edit of others with it
    for _, before, after in api.writes:
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed <= {*OURS, "refreshInterval", "layout", "widgets"}, changed
        assert not str(before.get("description")).startswith("foreign") or before["description"] == after["description"]
    for (dashboard, field), value in last.items():
        if field != "description":
            assert api.documents[dashboard][field] == value, "an edit of others is lost"
    # what was applied last is there
    order: defaultdict[str, list[Any]] = defaultdict(list)
    for each in outcomes.values():
        order[each.dashboard_id].append(each)
    names = {each.command_id: json.loads(each.document or "")["name"] for each in sent}
    for dashboard, found in order.items():
        applied = [each for each in sorted(found, key=lambda each: each.at) if each.status == "applied"]
        # Of a command in conflict an attempt may have been taken before others edited: that is said, too.
        open_ = {attempt.rpartition(".")[0] for attempt, each in settled.items() if each.status == "unknown"}
        later = {names[each.command_id] for each in found if each.command_id in open_}
        if applied:
            assert api.documents[dashboard]["name"] in {names[applied[-1].command_id], *later}
    return {
        "PUTs": len(api.taken),
        "intents": sum(intents.values()),
        "never sent": sum(unsent.values()),
        "settled": len(settled),
        "foreign edits": len(last),
        "conflicts": sum(len(json.loads(each.conflicts)) for each in outcomes.values()),
    }
