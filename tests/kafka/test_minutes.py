"""Events -> partials -> snapshots -> SQLite on a real Kafka: two workers of each stage, kills, and a batch."""

import time
from pathlib import Path
from random import Random

import apsw
from confluent_kafka import Producer

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION
from schemas.records import AnalyticsEvent, EventTimeProgress
from schemas.releases import FileSchemaIds
from schemas.topics import ANALYTICS_EVENTS, EVENT_TIME, RAW_ANALYTICS
from streams.core.times import iso
from streams.topology import topics
from tests.kafka.conftest import NewWorker
from tests.kafka.services.workers import until
from tests.support.minute_flow import MINUTE, Figures, batch, event
from tests.support.minute_rows import ask

PARTITIONS, SILENT = 12, 7
MINUTES = 4
STAGES = ("partials", "snapshots", "sqlite")
SETTINGS = {"STREAMS_MINUTE_LATENESS": "5"}


class Traffic:
    """Publishes events by chance: out of order, some again from where the stage before had been killed."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
        self._encode, self._chance = Codec(FileSchemaIds()).encoder(AnalyticsEvent), Random(seed)
        self._begin = (int(time.time() * 1000) - 10 * MINUTE) // MINUTE * MINUTE
        self._ends = [-1] * PARTITIONS  # the last offset of each
        self._published: list[list[AnalyticsEvent]] = [[] for _ in range(PARTITIONS)]

    def publish(self, number: int) -> None:
        for _ in range(number):
            partition = self._chance.randrange(PARTITIONS)
            if partition != SILENT:
                self._published[partition].append(self._any())
                self._send(partition, len(self._published[partition]) - 1)
                if self._chance.random() < 0.02:  # a retry of the last few
                    for offset in range(max(len(self._published[partition]) - 5, 0), len(self._published[partition])):
                        self._send(partition, offset)
        assert self._producer.flush(30) == 0

    def pass_time(self) -> None:
        """Tell what the stage that reads raw tells when all has come, also where nothing did."""
        encode = Codec(FileSchemaIds()).encoder(EventTimeProgress)
        passed = self._begin + (MINUTES + 1) * MINUTE
        raw, events = RAW_ANALYTICS.name, ANALYTICS_EVENTS.name
        for partition in range(PARTITIONS):
            progress = EventTimeProgress(raw, partition, PARTITIONS, events, passed, passed, True, self._ends)
            self._producer.produce(EVENT_TIME.name, encode(progress), f"{raw}|{partition}|{events}")
        assert self._producer.flush(30) == 0

    @property
    def expected(self) -> dict[tuple[str, str], Figures]:
        figures = batch(each for of_partition in self._published for each in of_partition)
        return {(iso(minute), queue): of for (minute, queue), of in figures.items()}

    def _any(self) -> AnalyticsEvent:
        chance = self._chance
        return event(
            self._begin + chance.randrange(MINUTES * MINUTE),
            interaction=f"sim-{chance.randrange(400)}",
            agent=f"agent-{chance.randrange(20)}",
            queue=chance.choice([None, "sales", "support", "a|b"]),
            handle=round(chance.uniform(60, 360), 2),
            wait=chance.choice([None, round(chance.uniform(0, 120), 2)]),
            state=chance.choice(["active", "active", "active", "idle"]),
        )

    def _send(self, partition: int, offset: int) -> None:
        value = self._encode(self._published[partition][offset])
        headers = [(SOURCE_POSITION, b"%d:%d" % (partition, offset))]
        self._producer.produce(ANALYTICS_EVENTS.name, value, partition=partition, headers=headers)
        self._ends[partition] += 1
        self._producer.poll(0)


def stored(path: Path, *, final: bool) -> dict[tuple[str, str], Figures]:
    """Return the minutes of a file that had events."""
    statement = (
        'SELECT "window", queue, total_interactions, interactions, avg_handle_time, avg_wait_time, active_agents '
        "FROM metric_snapshots WHERE total_interactions > 0 AND final >= ?"
    )
    try:
        return {(window, queue): tuple(figures) for window, queue, *figures in ask(path, statement, int(final))}
    except apsw.Error:  # it is being made
        return {}


def test_the_file_is_what_a_batch_computes_whoever_is_killed(
    own_kafka: Broker, new_worker: NewWorker, tmp_path: Path, seed: int
) -> None:
    path, chance = tmp_path / "metrics.db", Random(seed)
    traffic = Traffic(own_kafka.bootstrap, seed)
    workers = [
        new_worker(own_kafka.bootstrap, stage, SQLITE_PATH=str(path), **SETTINGS) for stage in STAGES for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    until(lambda: sum(b"\n" in worker.output.read_bytes() for worker in workers) >= 4, 60, "workers ready")

    for _ in range(5):
        traffic.publish(3000)
        worker = chance.choice(workers)
        worker.kill()
        worker.start()
    traffic.publish(3000)
    traffic.pass_time()

    expected = traffic.expected
    until(lambda: stored(path, final=True) == expected, 90, "final minutes as a batch computes them")
    assert ask(path, "PRAGMA integrity_check") == ["ok"]

    again = tmp_path / "again.db"
    fresh = new_worker(own_kafka.bootstrap, "sqlite", SQLITE_PATH=str(again), **SETTINGS)
    for worker in workers[4:]:
        worker.kill()
    fresh.start().ready()
    until(lambda: len(stored(again, final=True)) == len(expected), 60, "a new file")
    assert stored(again, final=True) == expected
