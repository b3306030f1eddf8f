"""Dashboards on a real Kafka: the audit trail has every write that CXone's stand-in saw, whatever is killed."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.topic_reader import Start, TopicReader
from connectors.simulator.faults import Faults
from connectors.simulator.interactions.traffic import Plan
from connectors.simulator.server import Simulation, serve
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import DashboardCommand
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_AUDIT
from streams.cli.audit import app
from streams.demo import keeper, trail
from streams.demo.judges.audit import lost_edits, mistakes
from streams.programs import dashboards as program
from streams.stages.dashboards.files import check
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import until
from tests.support.audit_trail import PRIVATE

NUMBER, ROUNDS = 6, 3
FAULTS = Faults(
    dashboards_500=0.1,
    dashboards_429=0.05,
    dashboards_retry_after=0.2,
    dashboards_lost=0.05,
    dashboards_502=0.05,
    dashboards_edits=5,
    dashboards_edit_fields=("refreshInterval", "note"),
)


def command(dashboard: str, turn: int) -> DashboardCommand:
    text, now = keeper.FILE.format(name=dashboard, turn=turn, interval=keeper.OURS), time.time_ns() // 1_000_000
    return DashboardCommand(
        command_id=uuid.uuid4().hex,
        dashboard_id=dashboard,
        kind="apply",
        document=json.dumps(check(text, "f", now / 1000).document),
        create=True,
        etag=None,
        actor="test",
        issued_at=now,
        expires_at=now + 600_000,
    )


async def test_the_trail_has_every_write_that_cxone_saw(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap, folder = own_kafka.bootstrap, tmp_path / "audit"
    (tmp_path / trail.KEY).write_bytes(PRIVATE)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=3)
    simulation = Simulation(plan=Plan(number=0), faults=FAULTS)
    async with serve(simulation) as places, httpx.AsyncClient(trust_env=False) as http:
        settings = {
            "CXONE_CLIENT_ID": simulation.cxone.client_id,
            "CXONE_CLIENT_SECRET": simulation.cxone.client_secret,
            "CXONE_DASHBOARDS_TOKEN_URL": places.messaging_token_url,
            "CXONE_DASHBOARDS_API_URL": places.messaging_token_url.removesuffix("/oauth/v2/token"),
            "DASHBOARDS_RETRY_BASE": "0.2",
            "DASHBOARDS_RETRY_CAP": "1",
            "AUDIT_DIR": str(folder),
            "AUDIT_KEY": str(tmp_path / trail.KEY),
        }
        keeping, mirror = (new_worker(bootstrap, stage, **settings).start() for stage in ("dashboards", "audit"))
        for worker in (keeping, mirror):
            await asyncio.to_thread(worker.ready)
        sent: list[DashboardCommand] = []
        for turn in range(ROUNDS):
            commands = [command(f"d{number}", turn) for number in range(NUMBER)]
            await program.publish(commands)
            sent += commands
            if turn:
                await asyncio.sleep(0.3 * turn)  # in the middle of it, somewhere
                for worker in (keeping, mirror)[:turn]:
                    worker.kill()
                    worker.start()
        outcomes = await program.follow(sent, lambda _: None, until=time.time() + 300)
        await http.post(places.faults_url, json={"dashboards_edits": 0})
        for worker in (keeping, mirror):
            await asyncio.to_thread(worker.ready)
        ledger = {kind: await rows(http, f"{places.dashboards_ledger_url}/{kind}") for kind in LEDGERS}
        entries = await asyncio.to_thread(audited, bootstrap)
        await until_written(folder, {entry.hash for entry in entries})
        for worker in (keeping, mirror):
            assert await asyncio.to_thread(worker.terminate) == 0, worker.said("not stopped in order")

    assert set(outcomes) == {each.command_id for each in sent}
    wrong = [each for each in outcomes.values() if each.status not in {"applied", "contended"}]
    assert not wrong, [(each.dashboard_id, each.status, each.words) for each in wrong]
    assert mistakes(ledger["writes"], entries) == []
    assert lost_edits(ledger["edits"], ledger["documents"]) == []
    verified = CliRunner(env=settings).invoke(app, ["verify", "--json"])
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["entries"] == len({entry.hash for entry in entries})


LEDGERS = ("writes", "edits", "documents")


async def rows(http: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await http.get(url)).text.splitlines()]


def audited(bootstrap: str) -> list[AuditEntry]:
    decode = Codec(FileSchemaIds()).decoder(AuditEntry)
    reader = TopicReader({"bootstrap.servers": bootstrap})
    found = [decode(each.value or b"") for each in reader.read(DASHBOARD_AUDIT.name, Start())]
    reader.close()
    return found


async def until_written(folder: Path, hashes: set[str]) -> None:
    def written() -> bool:
        return hashes <= {entry.hash for entry in trail.entries(folder)}

    await asyncio.to_thread(until, written, 60, "entries in the files")
