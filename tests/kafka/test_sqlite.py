"""The SQLite sink on a real Kafka: one owner, kills, a new file, a restored one."""

from pathlib import Path

import apsw
from confluent_kafka import Producer

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import METRICS_SNAPSHOTS, MINUTE_MS, ONLY_PARTITION
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import probe, until
from tests.support.minute_rows import ask

NOON = 1_795_694_400_000
encode = Codec(FileSchemaIds()).encoder(MetricSnapshot)
Stored = dict[tuple[str, str], tuple[int, int]]  # window, queue -> revision, events


class Minutes:
    """Publishes rows of which the file must have the newest of each minute and queue."""

    def __init__(self, bootstrap: str) -> None:
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self.expected: Stored = {}

    def publish(self, revision: int, minutes: int = 200) -> None:
        for number in range(minutes):
            for queue in ("", "sales"):
                at = NOON + number * MINUTE_MS
                row = MetricSnapshot(at, queue, revision * 10, 1, 60.0, 5.0, 1, revision, False, True, 1)
                self._producer.produce(METRICS_SNAPSHOTS.name, encode(row), f"{at}|{queue}", ONLY_PARTITION)
                window = f"2026-11-26T{12 + number // 60:02}:{number % 60:02}:00Z"
                self.expected[window, queue] = revision, revision * 10
        assert self._producer.flush(30) == 0


def stored(path: Path) -> Stored:
    if not path.exists():
        return {}
    try:
        rows = ask(path, 'SELECT "window", queue, revision, total_interactions FROM metric_snapshots')
    except apsw.Error:  # it is being made
        return {}
    return {(window, queue): (revision, events) for window, queue, revision, events in rows}


def test_one_worker_writes_and_its_standby_goes_on_after_a_kill(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.db"
    minutes = Minutes(own_kafka.bootstrap)
    first = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(path))
    second = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(path))
    first.start().ready()
    minutes.publish(1)
    until(lambda: stored(path) == minutes.expected, 20, "the first rows")
    second.start()

    for revision in (2, 3):
        minutes.publish(revision)
        first.kill()
        until(lambda: stored(path) == minutes.expected, 30, f"revision {revision} by the standby")
        first, second = second, first.start()
    assert ask(path, "PRAGMA integrity_check") == ["ok"]

    path.unlink()  # while it is open
    until(lambda: stored(path) == minutes.expected, 30, "a file that was removed, filled again")
    assert ask(path, "SELECT topic, partition, next FROM positions") == [
        (METRICS_SNAPSHOTS.name, ONLY_PARTITION, 3 * 400)
    ]


def test_a_new_file_is_filled_from_the_beginning_and_a_lock_turns_readiness_red(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    minutes = Minutes(own_kafka.bootstrap)
    minutes.publish(1)
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    worker = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(old))
    worker.start().ready()
    until(lambda: stored(old) == minutes.expected, 20, "the old file")
    assert worker.terminate() == 0

    other = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(new), SQLITE_LOCK_TIMEOUT="0.2")
    address = other.start().ready()["http"]
    until(lambda: stored(new) == minutes.expected, 20, "the new file")
    blocking = apsw.Connection(str(new))
    blocking.execute("BEGIN IMMEDIATE")
    minutes.publish(2)
    until(lambda: "locked by another program" in str(probe(address, "/readyz")), 10, "red")
    blocking.close()
    until(lambda: stored(new) == minutes.expected, 40, "what waited for the lock")
    until(lambda: probe(address, "/readyz")[0] == 200, 10, "green")
    assert stored(old) != minutes.expected
