"""Two workers of percentiles and one of normalise, killed at random moments while events come in: nothing is lost or
counted twice."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from deploy.kafka.broker import Broker
from tests.broker.judge import await_committed, mistakes, replays
from tests.broker.traffic import Traffic
from tests.broker.workers import Worker

KILLS = 10
EVENTS, RATE = 60_000, 1500.0


@pytest.fixture
def seed() -> int:
    """SEED repeats a run's traffic and choices; the moments are the machine's."""
    seed = int(os.environ.get("SEED", time.time_ns() % 100_000))
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    return seed


@pytest.fixture
def workers(own_kafka: Broker, tmp_path: Path) -> Iterator[list[Worker]]:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap, "STREAMS_SESSION_TIMEOUT": "3"}
    names = ["normalise-0", "percentiles-0", "percentiles-1", "percentiles-2"]
    workers = [Worker(name, tmp_path, settings, [name.partition("-")[0]]) for name in names]
    yield workers
    for worker in workers:
        worker.end()


def test_killed_workers_lose_nothing_and_count_nothing_twice(
    own_kafka: Broker, workers: list[Worker], seed: int
) -> None:
    random = Random(seed)
    *first, third = workers
    for worker in first:
        worker.start()
        worker.ready()
    traffic = Traffic(own_kafka.bootstrap, seed=seed, events=EVENTS, rate=RATE)
    traffic.start()
    victims = [first[0]] * 3 + [first[1]] * 4 + [first[2]] * 3
    random.shuffle(victims)

    for number, victim in enumerate(victims):
        time.sleep(random.uniform(0.5, 4))
        victim.kill()
        time.sleep(random.uniform(0, 1))
        victim.start()
        if number == KILLS // 2:
            third.start()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=90)

    assert mistakes(own_kafka.bootstrap, traffic) == []
    assert traffic.redelivered > 0.05 * EVENTS
    assert traffic.malformed
    assert replays(own_kafka.bootstrap), "no kill came between publishing and committing: nothing was shown"
    assert [worker.terminate() for worker in workers] == [0] * len(workers)
