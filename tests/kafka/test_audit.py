"""The audit trail on a real Kafka: a worker that is killed, a topic that somebody else writes to."""

from pathlib import Path

from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_AUDIT
from streams.cli.audit import app
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import until
from tests.support.audit_trail import PRIVATE, entries

encode = Codec(FileSchemaIds()).encoder(AuditEntry)
PARTITIONS, MADE = 3, 600


def publish(bootstrap: str, *made: AuditEntry) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for entry in made:
        producer.produce(DASHBOARD_AUDIT.name, encode(entry), entry.record.dashboard_id, entry.partition)
    assert producer.flush(30) == 0


def test_a_trail_survives_kills_and_a_fork_is_named(own_kafka: Broker, new_worker: NewWorker, tmp_path: Path) -> None:
    bootstrap, key, folder = own_kafka.bootstrap, tmp_path / "key.pem", tmp_path / "audit"
    key.write_bytes(PRIVATE)
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=PARTITIONS)
    settings = {"AUDIT_DIR": str(folder), "AUDIT_KEY": str(key)}
    made = entries(MADE, partitions=PARTITIONS)
    worker = new_worker(bootstrap, "audit", **settings).start()

    def lines() -> int:
        return sum(file.read_bytes().count(b'"type":"entry"') for file in folder.glob("*.jsonl"))

    def run(*arguments: str) -> Result:
        return CliRunner(env={**settings, "KAFKA_BOOTSTRAP_SERVERS": bootstrap}).invoke(app, ["verify", *arguments])

    for part in range(2):
        publish(bootstrap, *made[300 * part : 300 * (part + 1)], *made[300 * part : 300 * part + 75])  # some twice
        until(lambda: lines() > 300 * part, 60, "entries in the files")  # noqa: B023 - it is called in this turn
        worker.kill()
        worker.start()
    worker.ready()
    until(lambda: lines() >= MADE, 60, "all entries in the files")
    assert worker.terminate() == 0, worker.said("not stopped in order")

    files, topic = run(), run("--topic")
    assert (files.exit_code, f"{MADE} records," in files.stdout) == (0, True), files.output
    assert (topic.exit_code, f"{MADE} records (150 of them twice" in topic.stdout) == (0, True), topic.output
    assert "not signed yet" not in files.stdout

    publish(bootstrap, *entries(1, partitions=PARTITIONS, epoch=5, after=made))
    publish(bootstrap, *entries(1, partitions=PARTITIONS, epoch=1, after=made, actor="zombie"))
    forked = run("--topic")
    assert (forked.exit_code, forked.stdout.startswith("forked: cxone.dashboard.audit partition 0")) == (1, True)
    assert "epoch 1, and there is another one of epoch 5" in forked.stdout
