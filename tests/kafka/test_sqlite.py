"""The SQLite sink on a real Kafka: one owner, kills, a new file, a restored one."""

from pathlib import Path
from typing import Any

import apsw
from confluent_kafka import ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import ALERTS, METRICS_SNAPSHOTS, MINUTE_MS, ONLY_PARTITION
from streams.stages.sqlite.declaration import DECLARATION as SQLITE
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import probe, until
from tests.support.minute_rows import ask

NOON = 1_795_694_400_000
CODEC = Codec(FileSchemaIds())
encode, encode_alert = CODEC.encoder(MetricSnapshot), CODEC.encoder(AlertRecord)
Stored = dict[tuple[str, str], tuple[int, int]]  # window, queue -> revision, events


class Minutes:
    """Publishes rows of which the file must have the newest of each minute and queue, and an alert with them."""

    def __init__(self, bootstrap: str) -> None:
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics(), partitions=1)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self.expected: Stored = {}
        self.revision = 0

    def publish(self, revision: int, minutes: int = 200) -> None:
        self.revision = revision
        for number in range(minutes):
            for queue in ("", "sales"):
                at = NOON + number * MINUTE_MS
                row = MetricSnapshot(at, queue, revision * 10, 1, 60.0, 5.0, 1, revision, False, True, 1)
                self._producer.produce(METRICS_SNAPSHOTS.name, encode(row), f"{at}|{queue}", ONLY_PARTITION)
                window = f"2026-11-26T{12 + number // 60:02}:{number % 60:02}:00Z"
                self.expected[window, queue] = revision, revision * 10
        alert = AlertRecord("id", "r", "events", "", "open", "warning", 9.0, 5.0, NOON, None, NOON, revision)
        self._producer.produce(ALERTS.name, encode_alert(alert), "id", ONLY_PARTITION)
        assert self._producer.flush(30) == 0


def alerts(path: Path) -> list[int]:
    """Return the revision of each alert that the file has."""
    return ask(path, "SELECT revision FROM alerts")


def stored(path: Path) -> Stored:
    if not path.exists():
        return {}
    try:
        rows = ask(path, 'SELECT "window", queue, revision, total_interactions FROM metric_snapshots')
    except apsw.Error:  # it is being made
        return {}
    return {(window, queue): (revision, events) for window, queue, revision, events in rows}


def both_are_in(bootstrap: str) -> bool:
    """Whether the group has given two workers their partitions."""
    admin: Any = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    group = admin.describe_consumer_groups([SQLITE.group])[SQLITE.group].result(30)
    return len(group.members) == 2 and group.state is ConsumerGroupState.STABLE


def test_one_worker_writes_and_its_standby_goes_on_after_a_kill(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.db"
    minutes = Minutes(own_kafka.bootstrap)
    first = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(path))
    second = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(path))
    first.start().ready()
    minutes.publish(1)
    until(lambda: stored(path) == minutes.expected, 60, "the first rows")
    second.start()

    for revision in (2, 4):
        until(lambda: both_are_in(own_kafka.bootstrap), 60, "an owner and a standby")
        minutes.publish(revision)
        until(lambda: stored(path) == minutes.expected, 60, f"revision {revision}")
        until(lambda: alerts(path) == [minutes.revision], 60, "its alert, too")
        minutes.publish(revision + 1)
        first.kill()
        until(lambda: stored(path) == minutes.expected, 60, f"revision {revision + 1} by the standby")
        until(lambda: alerts(path) == [minutes.revision], 60, "its alert, too")
        first, second = second, first.start()
    assert ask(path, "PRAGMA integrity_check") == ["ok"]

    path.unlink()  # while it is open
    until(lambda: stored(path) == minutes.expected, 60, "a file that was removed, filled again")
    until(lambda: alerts(path) == [5], 60, "its alert, too")
    assert sorted(ask(path, "SELECT topic, partition, next FROM positions")) == [
        (ALERTS.name, ONLY_PARTITION, 5),
        (METRICS_SNAPSHOTS.name, ONLY_PARTITION, 5 * 400),
    ]


def test_a_worker_with_another_file_is_refused_and_the_group_has_one(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    minutes = Minutes(own_kafka.bootstrap)
    minutes.publish(1, minutes=10)
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    worker = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(one)).start()
    worker.ready()
    second = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(other)).start()

    assert second.exit_code(within=60) == 2
    said = second.log.read_text()
    assert f"SQLITE_PATH is {other}" in said
    assert f"has {one}: give all the same" in said
    assert not other.exists()
    until(lambda: stored(one) == minutes.expected, 60, "the one file")


def test_a_new_file_is_filled_from_the_beginning_and_a_lock_turns_readiness_red(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    minutes = Minutes(own_kafka.bootstrap)
    minutes.publish(1)
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    worker = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(old))
    worker.start().ready()
    until(lambda: stored(old) == minutes.expected, 60, "the old file")
    assert worker.terminate() == 0

    other = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(new), SQLITE_LOCK_TIMEOUT="0.2")
    address = other.start().ready()["http"]
    until(lambda: stored(new) == minutes.expected, 60, "the new file")
    blocking = apsw.Connection(str(new))
    blocking.execute("BEGIN IMMEDIATE")
    minutes.publish(2)
    until(lambda: "locked by another program" in str(probe(address, "/readyz")), 60, "red")
    blocking.close()
    until(lambda: stored(new) == minutes.expected, 60, "what waited for the lock")
    until(lambda: probe(address, "/readyz")[0] == 200, 60, "green")
    assert stored(old) != minutes.expected
