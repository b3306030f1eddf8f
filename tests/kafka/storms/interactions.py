"""Long faults, minutes each: `make faults` (SEED=... repeats one). `make test` has the short ones.

Every storm ends like this: all faults stop, and what the topology has published equals a batch computation over what
was produced; everything is committed.
"""

import time
from random import Random
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from deploy.local.kafka.broker import Broker
from streams.stages.percentiles.declaration import DECLARATION as PERCENTILES
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes, replays
from tests.kafka.services.traffic import Traffic
from tests.kafka.services.workers import Worker, until
from tests.kafka.test_event_time import read_a_week
from tests.support.cut_wire import Wire

(WINDOWS,) = PERCENTILES.changelogs
STAGES = ("normalise", "normalise", "percentiles", "percentiles")
RATE = 1000.0


@pytest.fixture
def interval() -> str:
    """Seconds between two rows of an hour, unless a test says otherwise."""
    return "1"


@pytest.fixture
def workers(own_kafka: Broker, new_worker: NewWorker, interval: str) -> list[Worker]:
    workers = [new_worker(own_kafka.bootstrap, stage, STREAMS_PUBLISH_INTERVAL=interval) for stage in STAGES]
    for worker in workers:
        worker.start().ready()
    return workers


def begin(kafka: Broker, seed: int, seconds: float) -> Traffic:
    traffic = Traffic(kafka.bootstrap, seed=seed, events=int(seconds * RATE), rate=RATE)
    traffic.start()
    return traffic


def conclude(kafka: Broker, traffic: Traffic, *, drained_within: float = 120) -> None:
    traffic.finish()
    await_committed(kafka.bootstrap, drained_within)
    assert mistakes(kafka.bootstrap, traffic) == []


@pytest.mark.parametrize("interval", ["1", "0"])
def test_kill_storm(own_kafka: Broker, workers: list[Worker], seed: int) -> None:
    """30 kills, 0.1 to 1 s apart, and 5 of workers that are at work: the others may all have met one that starts."""
    random = Random(seed)
    traffic = begin(own_kafka, seed, seconds=60)
    for _ in range(30):
        time.sleep(random.uniform(0.1, 1))
        victim = random.choice(workers)
        victim.kill()
        victim.start()
    for _ in range(5):
        victim = random.choice(workers[:2])  # of normalise, which publishes what a reader can see again
        victim.ready()
        time.sleep(random.uniform(0.3, 1))
        victim.kill()
        victim.start()

    conclude(own_kafka, traffic)
    assert replays(own_kafka.bootstrap)


@pytest.mark.parametrize(("stage", "interval"), [("normalise", "1"), ("percentiles", "1"), ("percentiles", "0")])
def test_frozen_worker_comes_back_after_its_session(
    own_kafka: Broker, workers: list[Worker], seed: int, stage: str
) -> None:
    """20 s of SIGSTOP with a session of 6 s: a zombie must not write over its successor."""
    zombie = next(worker for worker in workers if worker.name.startswith(stage))
    traffic = begin(own_kafka, seed, seconds=70)
    for _ in range(2):
        time.sleep(5)
        zombie.pause()
        time.sleep(20)
        zombie.resume()
        if not zombie.runs:  # leaving is an answer too: an orchestrator starts it again
            zombie.start()

    conclude(own_kafka, traffic)


@pytest.mark.parametrize("stage", ["normalise", "percentiles"])
def test_worker_cut_off_from_kafka(
    wired_kafka: tuple[Broker, Wire], new_worker: NewWorker, seed: int, stage: str
) -> None:
    """20 s without a way to Kafka, with a session of 6 s: what is queued must not go over the successor's work."""
    kafka, wire = wired_kafka
    cut_off = new_worker(wire.bootstrap, stage)
    others = [new_worker(kafka.bootstrap, one) for one in ("normalise", "percentiles")]
    for worker in (cut_off, *others):
        worker.start().ready()
    random, traffic = Random(seed), begin(kafka, seed, seconds=100)
    for _ in range(3):
        time.sleep(random.uniform(4, 6))
        wire.cut()
        time.sleep(20)
        wire.mend()
        cut_off.ready()

    conclude(kafka, traffic)
    assert cut_off.runs


def test_broker_killed_and_started_again(own_kafka: Broker, workers: list[Worker], seed: int) -> None:
    pids = [worker.pid for worker in workers]
    traffic = begin(own_kafka, seed, seconds=60)
    for _ in range(3):
        time.sleep(8)
        own_kafka.kill()
        own_kafka.start()

    conclude(own_kafka, traffic)
    assert [worker.pid for worker in workers if worker.runs] == pids


def test_broker_gone_for_30_seconds(own_kafka: Broker, workers: list[Worker], seed: int) -> None:
    pids = [worker.pid for worker in workers]
    traffic = begin(own_kafka, seed, seconds=30)
    time.sleep(8)
    own_kafka.kill()
    time.sleep(30)
    assert [worker.pid for worker in workers if worker.runs] == pids
    own_kafka.start()

    conclude(own_kafka, traffic)
    assert [worker.pid for worker in workers if worker.runs] == pids


def test_rolling_restarts(own_kafka: Broker, workers: list[Worker], seed: int) -> None:
    """3 rounds of SIGTERM: exit code 0 in time, and nothing is even published twice."""
    traffic = begin(own_kafka, seed, seconds=60)
    for _ in range(3):
        for worker in workers:
            time.sleep(1)
            assert worker.terminate() == 0, worker.said("not stopped in order")
            worker.start().ready()

    conclude(own_kafka, traffic)
    assert replays(own_kafka.bootstrap) == 0


def test_rebalance_storm(own_kafka: Broker, workers: list[Worker], new_worker: NewWorker, seed: int) -> None:
    """A third worker of each stage joins and leaves every few seconds."""
    traffic = begin(own_kafka, seed, seconds=60)
    guests = [new_worker(own_kafka.bootstrap, stage) for stage in ("normalise", "percentiles")]
    random = Random(seed)
    for _ in range(6):
        for guest in guests:
            guest.start()
        for guest in guests:
            guest.ready()
        time.sleep(random.uniform(0, 3))
        assert [guest.terminate() for guest in guests] == [0, 0]

    conclude(own_kafka, traffic)
    assert all(worker.runs for worker in workers)


def test_changelog_deleted_under_rocksdb(own_kafka: Broker, new_worker: NewWorker, seed: int) -> None:
    """State that is newer than its changelog is nothing to go on with: the worker ends and says what happened."""
    pytest.importorskip("rocksdb")
    stages = ("normalise", "percentiles")
    workers = [new_worker(own_kafka.bootstrap, stage, STREAMS_STORE="rocksdb").start() for stage in stages]
    for worker in workers:
        worker.ready()
    conclude(own_kafka, begin(own_kafka, seed, seconds=2))
    percentiles = workers[1]
    percentiles.kill()
    admin: Any = AdminClient({"bootstrap.servers": own_kafka.bootstrap})
    admin.delete_topics([WINDOWS.name])[WINDOWS.name].result(30)
    until(lambda: WINDOWS.name not in admin.list_topics(timeout=30).topics, 60, "deleted")

    assert percentiles.start().exit_code(within=60) == 1
    assert "removed data from the topics" in percentiles.log.read_text()


def test_a_week_of_150_000_events_from_the_backlog_and_again_beside_live_traffic(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    read_a_week(own_kafka, new_worker, seed, 150_000)
