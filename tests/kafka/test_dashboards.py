"""Dashboards from the command line through a worker to a CXone and back, on a real Kafka."""

import asyncio
import json
import time
from pathlib import Path

from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.topic_reader import Start, TopicReader
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import DashboardChange
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_CHANGES
from streams.cli.dashboards import app
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.support.dashboards_api import DashboardsApi, serve

FILE = """\
id: {id}
name: {name}
widgets:
  - {{title: A, type: metric, position: {{x: 0, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
"""


def told(bootstrap: str, *changes: tuple[str, str]) -> None:
    """Publish that CXone told of changes: (dashboard, ETag)."""
    encode = Codec(FileSchemaIds()).encoder(DashboardChange)
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for dashboard, etag in changes:
        change = DashboardChange(dashboard, "dashboard.updated", "Eve", etag, time.time_ns() // 1_000_000)
        producer.produce(DASHBOARD_CHANGES.name, encode(change), dashboard)
    assert producer.flush(30) == 0


def audit(bootstrap: str) -> list[tuple[str, str | None]]:
    reader = TopicReader({"bootstrap.servers": bootstrap})
    decode = Codec(FileSchemaIds()).decoder(AuditEntry)
    entries = {
        (entry.partition, entry.sequence): entry.record
        for entry in (decode(found.value or b"") for found in reader.read("cxone.dashboard.audit", Start()))
    }
    reader.close()
    ordered = sorted(entries.items(), key=lambda item: (item[1].dashboard_id, item[0]))
    return [(record.kind, record.status) for _, record in ordered]


async def test_files_go_through_a_worker_into_cxone(own_kafka: Broker, new_worker: NewWorker, tmp_path: Path) -> None:
    TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).create(topics(), partitions=1)
    file = tmp_path / "a.yaml"

    async with serve(DashboardsApi({"a": {"name": "Theirs", "owner": 1, "widgets": []}})) as api:
        settings = {"KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap, **api.settings}
        runner = CliRunner(env=settings)

        async def run(*arguments: str) -> Result:
            return await asyncio.to_thread(runner.invoke, app, [*arguments])

        worker = new_worker(own_kafka.bootstrap, "dashboards", **api.settings)
        await asyncio.to_thread(lambda: worker.start().ready())

        file.write_text(FILE.format(id="a", name="Ours"))
        stranger = await run("plan", str(file))
        adopted = await run("adopt", str(file), "--timeout", "120")
        planned = await run("plan", str(file), "--detailed-exitcode", "--out", str(tmp_path / "plan.json"))
        api.edit("a", description="Theirs")
        stale = await run("apply", str(tmp_path / "plan.json"), "--timeout", "120")
        api.lose = 1
        applied = await run("apply", str(file), "--timeout", "120", "--actor", "kim", "--json")
        empty = await run("plan", str(file), "--detailed-exitcode")

        worker.kill()
        api.edit("a", name="Theirs again")
        file.write_text(FILE.format(id="a", name="Newer"))
        (tmp_path / "b.yaml").write_text(FILE.format(id="b", name="New"))
        await asyncio.to_thread(lambda: worker.start().ready())
        conflict = await run("apply", str(tmp_path), "--create", "--timeout", "120")
        got = await run("get", "b")
        told(own_kafka.bootstrap, ("b", '"1"'), ("a", '"99"'))
        watched = await run("watch", "--since", "1h", "--seconds", "0.5")
        assert await asyncio.to_thread(worker.terminate) == 0

    assert (stranger.exit_code, adopted.exit_code) == (1, 0), (stranger.output, adopted.output)
    assert planned.exit_code == 2, planned.output
    assert stale.exit_code == 3, stale.output
    assert "the plan is stale" in stale.stdout
    assert applied.exit_code == 0, applied.output
    (told_of,) = json.loads(applied.stdout)["dashboards"]
    assert (told_of["id"], told_of["status"], told_of["conflicts"]) == ("a", "applied", [])
    assert empty.exit_code == 0, empty.output
    assert "changed in CXone" in empty.stdout
    assert conflict.exit_code == 3, conflict.output
    assert 'someone in CXone: "Theirs again"' in conflict.stdout
    assert "= b: applied: created" in conflict.stdout
    assert "name: New" in got.stdout
    assert (watched.exit_code, watched.stdout) == (0, 'a: updated by Eve, now "99"\n')
    assert api.documents["a"]["owner"] == 1
    assert api.documents["a"]["description"] == "Theirs"
    assert sum(method != "GET" for method, _, _ in api.requests) == 2
    assert audit(own_kafka.bootstrap) == [
        ("intent", None),
        ("outcome", "unknown"),
        ("settled", "applied"),
        ("outcome", "conflict"),
        ("intent", None),
        ("outcome", "applied"),
    ]
