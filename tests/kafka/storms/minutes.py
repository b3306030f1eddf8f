"""Long faults on the way of the minutes, from raw frames to the SQLite file: `make faults` (SEED=... repeats one).

Every storm ends like this: all faults stop, and the minutes and the alerts in the file equal a batch computation over
what was sent. The short ones: test_minutes.py, test_sqlite.py, test_alerts.py.
"""

import time
from collections import defaultdict
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import ALERTS as ALERTS_TOPIC
from schemas.topics import METRICS_SNAPSHOTS, MINUTE_MS, ONLY_PARTITION, RAW_ANALYTICS
from streams.core.times import iso
from streams.stages.alerts.declaration import DECLARATION as ALERTS
from streams.stages.analytics.declaration import DECLARATION as ANALYTICS
from streams.stages.partials.declaration import DECLARATION as PARTIALS
from streams.stages.snapshots.declaration import DECLARATION as SNAPSHOTS
from streams.stages.sqlite.declaration import DECLARATION as SQLITE
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.minutes import differences, mistakes, stored
from tests.kafka.services.analytics_traffic import PARTITIONS, SILENT, AnalyticsTraffic
from tests.kafka.services.workers import Worker, probe, until
from tests.support.minute_rows import ask

WAY = (ANALYTICS, PARTIALS, SNAPSHOTS, ALERTS, SQLITE)
SETTINGS = {"STREAMS_IDLE_AFTER": "3"}


def create_topics(bootstrap: str) -> None:
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())


def two_of_each(kafka: Broker, new_worker: NewWorker, path: Path) -> dict[str, list[Worker]]:
    """Start two workers of each stage; return them by stage when every partition has one."""
    workers = {
        stage.name: [new_worker(kafka.bootstrap, stage.name, SQLITE_PATH=str(path), **SETTINGS) for _ in range(2)]
        for stage in WAY
    }
    for pair in workers.values():
        for worker in pair:
            worker.start()
    for name, pair in workers.items():
        until(lambda pair=pair: any(map(has_partitions, pair)), 90, f"{name} ready")  # type: ignore[misc]
    return workers


def has_partitions(worker: Worker) -> bool:
    return b"\n" in worker.output.read_bytes()


def forget_all_but_raw(bootstrap: str) -> None:
    """Do as docs/operations.md says: delete what was made of raw, state and groups, and make the topics again."""
    admin: Any = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    made = [spec.name for stage in WAY for spec in (*stage.writes, *stage.changelogs)]
    for deleted in admin.delete_topics(made).values():
        deleted.result(30)
    for deleted in admin.delete_consumer_groups([stage.group for stage in WAY]).values():
        deleted.result(30)
    until(lambda: not set(made) & admin.list_topics(timeout=30).topics.keys(), 60, "deleted")
    create_topics(bootstrap)


def test_five_kills_from_raw_to_the_file_and_all_of_raw_again_into_another(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path, seed: int
) -> None:
    """One kill of a worker of each stage; then everything that was made of raw is deleted, and raw is read again."""
    random, path = Random(seed), tmp_path / "metrics.db"
    create_topics(own_kafka.bootstrap)
    workers = two_of_each(own_kafka, new_worker, path)
    traffic = AnalyticsTraffic(own_kafka.bootstrap, seed=seed, seconds=60)
    traffic.start()
    for name in random.sample(sorted(workers), len(workers)):
        time.sleep(random.uniform(5, 10))
        victim = random.choice([worker for worker in workers[name] if has_partitions(worker)])
        victim.kill()
        victim.start()
    traffic.finish()
    conclude(own_kafka, traffic, path)

    for pair in workers.values():
        for worker in pair:
            assert worker.terminate() == 0, worker.said("not stopped in order")
    forget_all_but_raw(own_kafka.bootstrap)
    again = tmp_path / "again.db"
    two_of_each(own_kafka, new_worker, again)
    conclude(own_kafka, traffic, again)


LATENESS, IDLE = 10, 10  # seconds


class Watch:
    """Sends a frame every tenth of a second to all partitions but one, and looks for the rows that follow."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0})
        self._consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": "watch", "log_level": 0})
        self._consumer.assign([TopicPartition(METRICS_SNAPSHOTS.name, ONLY_PARTITION, OFFSET_BEGINNING)])
        self._decode = Codec(FileSchemaIds()).decoder(MetricSnapshot)
        self._sent: defaultdict[int, list[float]] = defaultdict(list)  # minute -> when each of its events was sent
        self._number = 0
        self.delays: list[float] = []  # seconds from an event to a row that counts it
        self.final: dict[int, float] = {}  # minute -> seconds from its end to its final row

    def look(self, until: float, *, send: bool) -> None:
        """Go on until a time in seconds since the epoch."""
        due = time.time()
        while (now := time.time()) < until:
            if send and now >= due:
                self._send(now)
                due += 0.1
            for record in self._consumer.consume(100, 0.02):
                assert record.error() is None, record.error()
                self._take(self._decode(record.value()), time.time())

    def _send(self, now: float) -> None:
        at = int(1000 * now)
        partition = self._number % (PARTITIONS - 1)
        self._number += 1
        frame = {
            "eventId": f"e-{self._number}",
            "eventType": "interaction",
            "timestamp": iso(at, "milliseconds"),
            "interactionId": f"i-{self._number}",
            "agentId": f"agent-{self._number % 60}",
            "metrics": {"handleTime": 100, "waitTime": 1, "state": "active"},
        }
        self._sent[at - at % MINUTE_MS].append(now)
        place = partition + (partition >= SILENT)
        self._producer.produce(RAW_ANALYTICS.name, orjson.dumps(frame), b"any", place)
        self._producer.poll(0)

    def _take(self, row: MetricSnapshot, now: float) -> None:
        if row.final and row.window not in self.final:
            self.final[row.window] = now - (row.window + MINUTE_MS) / 1000
        counted = self._sent[row.window]
        self.delays += [now - at for at in counted[: row.events]]
        del counted[: row.events]
        self._sent[row.window] = counted


def test_rows_come_at_once_and_are_final_in_time_with_one_partition_silent_and_with_all(
    own_kafka: Broker, new_worker: NewWorker
) -> None:
    """Four minutes by the clock; prints how long rows and final rows took."""
    create_topics(own_kafka.bootstrap)
    stages = [stage.name for stage in (ANALYTICS, PARTIALS, SNAPSHOTS)]
    settings = {"STREAMS_MINUTE_LATENESS": str(LATENESS), "STREAMS_IDLE_AFTER": str(IDLE)}
    new_worker(own_kafka.bootstrap, *stages, **settings).start().ready()
    watch = Watch(own_kafka.bootstrap)
    first = (time.time_ns() // 1_000_000 // MINUTE_MS + 1) * MINUTE_MS
    second = first + MINUTE_MS
    limit = LATENESS + IDLE + 2

    watch.look(second / 1000 + 55, send=True)  # the first minute becomes final while events come
    watch.look((second + MINUTE_MS) / 1000 + limit, send=False)

    delays = sorted(watch.delays)
    print(  # noqa: T201 - pytest shows it
        f"{len(delays)} events; a row counts them after {delays[len(delays) // 2]:.2f} s (median), "
        f"{delays[int(0.99 * len(delays))]:.2f} s (99 of 100), {delays[-1]:.2f} s at most; final after the minute's "
        f"end: {watch.final.get(first, inf):.1f} s with one of {PARTITIONS} partitions silent, "
        f"{watch.final.get(second, inf):.1f} s with all silent; the limit is {limit} s"
    )
    assert watch.final.get(first, inf) <= limit
    assert watch.final.get(second, inf) <= limit


def test_readiness_names_the_raw_partitions_whose_worker_is_dead(own_kafka: Broker, new_worker: NewWorker) -> None:
    """And minutes go on when somebody has them again."""
    create_topics(own_kafka.bootstrap)
    reader = new_worker(own_kafka.bootstrap, "analytics", **SETTINGS).start()
    reader.ready()
    address = new_worker(own_kafka.bootstrap, "partials", **SETTINGS).start().ready()["http"]
    until(lambda: probe(address, "/readyz")[0] == 200, 60, "ready")
    reader.kill()

    until(lambda: "cxone.raw.analytics has come in partition 0, 1, 2" in str(probe(address, "/readyz")), 120, "named")
    print(probe(address, "/readyz"))  # noqa: T201

    reader.start().ready()
    until(lambda: probe(address, "/readyz")[0] == 200, 60, "ready again")


def test_a_topic_that_is_made_after_a_worker_started_is_read_all_the_same(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path
) -> None:
    """Started without `cxone-streams worker`, which makes topics: Faust alone waits for what is missing."""
    path, late = tmp_path / "metrics.db", [spec for spec in topics() if spec.name == ALERTS_TOPIC.name]
    admin = TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.create([spec for spec in topics() if spec not in late])
    program = ("-m", "faust", "-A", "streams.topology:sqlite")
    worker = new_worker(own_kafka.bootstrap, "worker", program=program, SQLITE_PATH=str(path)).start()
    until(path.exists, 60, "the file, and with it the minutes")
    admin.create(late)
    alert = AlertRecord("id", "r", "events", "", "open", "warning", 9.0, 5.0, MINUTE_MS, None, MINUTE_MS, 1)
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    encode = Codec(FileSchemaIds()).encoder(AlertRecord)
    producer.produce(ALERTS_TOPIC.name, encode(alert), "id", ONLY_PARTITION)
    assert producer.flush(30) == 0

    until(lambda: ask(path, "SELECT alert_id FROM alerts") == ["id"], 90, "the alert")
    assert worker.runs


def conclude(kafka: Broker, traffic: AnalyticsTraffic, path: Path) -> None:
    expected, began = traffic.expected, time.monotonic()
    found: list[str] = []

    def equal() -> bool:
        found[:] = mistakes(expected, path) if path.exists() else ["there is no file"]
        time.sleep(0.5)
        return not found

    try:
        until(equal, 150, "minutes and alerts as a batch computes them")
    finally:
        print(f"{path.name}: {len(found)} mismatches {found[:10]}")  # noqa: T201 - pytest shows it
    minutes, alerts = stored(path)
    states = sorted(alert.state for alert in alerts.values())
    print(  # noqa: T201
        f"{path.name}: {len(minutes)} minutes, alerts {states}, of {sum(n[0] for n in expected.values())} events,"
        f" {traffic.redelivered} frames again, {traffic.malformed} malformed; {time.monotonic() - began:.0f} s after"
    )
    assert states, "no wave crossed a threshold: nothing was shown of alerts"
    assert ask(path, "PRAGMA integrity_check") == ["ok"]
    assert differences(kafka.bootstrap, path) == []
