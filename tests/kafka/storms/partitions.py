"""Three brokers, of which two are killed one after the other: one partition's trouble is its own.

Each kill leaves, for a minute, one partition of the raw topic and one of normalise's state without a leader, and half
of percentiles' state with one replica where two are needed. Everything else is on all three brokers, or on the one that
is never killed.
"""

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.stages.normalise.declaration import DECLARATION as NORMALISE
from streams.stages.percentiles.declaration import DECLARATION as PERCENTILES
from streams.topology import topics
from tests.conftest import require_kafka
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes
from tests.kafka.services.cluster import Cluster
from tests.kafka.services.traffic import Traffic
from tests.kafka.services.workers import probe, until

PARTITIONS = 6
RATE = 1000.0
MEASURED = 60  # seconds of each outage, and before the first
KILLED = 2, 3

(SEEN,), (WINDOWS,) = NORMALISE.changelogs, PERCENTILES.changelogs
# Which brokers each partition is on
PLACED = {
    RAW_INTERACTIONS.name: [[2], [3], [1], [1], [1], [1]],
    SEEN.name: [[1], [1], [2], [3], [1], [1]],
    WINDOWS.name: [[1, 2], [1, 3], [2, 1], [3, 1], [1, 2], [1, 3]],
}
STAGES = {"normalise": RAW_INTERACTIONS.name, "percentiles": INTERACTIONS_COMPLETED.name}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    require_kafka()
    cluster = Cluster(tmp_path / "kafka")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


def progress(bootstrap: str, stage: str, partitions: Collection[int]) -> tuple[int, int]:
    """Return how many records of `partitions` the stage has committed, and how many there are.

    Each time by a new client: one that knew the killed broker as its coordinator asks it for minutes.
    """
    places = [TopicPartition(STAGES[stage], partition) for partition in partitions]
    for _ in range(10):
        consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": f"cxone-{stage}", "log_level": 0})
        try:
            committed = sum(max(at.offset, 0) for at in consumer.committed(places, timeout=5))
            return committed, sum(consumer.get_watermark_offsets(at, timeout=5)[1] for at in places)
        except KafkaException:  # leaders and coordinators are on their way
            time.sleep(1)
        finally:
            consumer.close()
    raise AssertionError("Kafka does not say how far its partitions are committed")


def test_partitions_without_a_leader_hold_up_no_others(cluster: Cluster, new_worker: NewWorker, seed: int) -> None:
    cluster.create(topics(), PARTITIONS, PLACED)
    workers = {stage: new_worker(cluster.bootstrap, stage, STREAMS_SESSION_TIMEOUT="15").start() for stage in STAGES}
    addresses = {stage: worker.ready()["http"] for stage, worker in workers.items()}
    pids = [worker.pid for worker in workers.values()]
    traffic = Traffic(cluster.bootstrap, seed=seed, events=int(3 * (MEASURED + 35) * RATE), rate=RATE)
    traffic.start()
    time.sleep(10)

    usual: dict[str, float] = {}  # stage -> records a second of one partition
    for node in (None, *KILLED):
        ill = {topic: [number for number, nodes in enumerate(on) if node in nodes] for topic, on in PLACED.items()}
        others = {
            "normalise": set(range(PARTITIONS)) - {*ill[RAW_INTERACTIONS.name], *ill[SEEN.name]},
            "percentiles": set(range(PARTITIONS)) - set(ill[WINDOWS.name]),
        }
        began = time.monotonic()
        before = {stage: progress(cluster.bootstrap, stage, others[stage]) for stage in STAGES}
        if node is not None:
            cluster.broker[node].kill()
        for _ in range(MEASURED // 5):
            time.sleep(5)
            assert {probe(address, "/livez")[0] for address in addresses.values()} == {200}
        said = {stage: str(probe(address, "/readyz")) for stage, address in addresses.items()}
        after = {stage: progress(cluster.bootstrap, stage, others[stage]) for stage in STAGES}
        seconds = time.monotonic() - began

        for stage in STAGES:
            committed, came = (now - then for now, then in zip(after[stage], before[stage], strict=True))
            rate = committed / seconds / len(others[stage])
            share = rate / usual.setdefault(stage, rate)
            figures = f"{committed} of {came} records in {seconds:.0f} s, {100 * share:.0f} % of what is usual"
            print(f"{stage} with broker {node} killed: {figures}. {said[stage]}")  # noqa: T201 - the storm's figures
            assert committed >= 0.9 * came, figures
            # What goes through a partition of `normalise` without a leader does not come to `percentiles`
            assert stage == "percentiles" or share >= 0.9, figures
        for number in ill[RAW_INTERACTIONS.name]:
            assert f"{RAW_INTERACTIONS.name} {number} has had no leader for" in said["normalise"]
        for number in ill[SEEN.name]:
            assert f"{RAW_INTERACTIONS.name} {number}: nothing is written for" in said["normalise"]
            assert f"{SEEN.name} {number} has had no leader for" in said["normalise"]
        for number in ill[WINDOWS.name]:
            assert f"{INTERACTIONS_COMPLETED.name} {number}: nothing is written for" in said["percentiles"]
            assert f"{WINDOWS.name} {number} has had 1 of 2 replicas in sync that it needs for" in said["percentiles"]
        if node is not None:
            cluster.broker[node].start()
            cluster.await_replicas()
            until(lambda: all(probe(address, "/readyz")[0] == 200 for address in addresses.values()), 60, "ready again")

    traffic.finish()
    await_committed(cluster.bootstrap, within=180)
    assert mistakes(cluster.bootstrap, traffic) == []
    assert [worker.pid for worker in workers.values() if worker.runs] == pids
