"""Two workers of percentiles and one of normalise, killed at random moments while events come in.

Nothing is lost, and nothing is counted twice; so it is with workers that are stopped in order, one after the other.
`make faults` runs longer storms: storms/.
"""

import time
from random import Random

import pytest

from deploy.local.kafka.broker import Broker
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes, replays
from tests.kafka.services.traffic import Traffic

EVENTS, RATE = 120_000, 1000.0  # at most: they come until the last kill


@pytest.mark.parametrize("interval", ["1", "0"])
def test_killed_workers_lose_nothing_and_count_nothing_twice(
    own_kafka: Broker, new_worker: NewWorker, seed: int, interval: str
) -> None:
    random = Random(seed)
    stages = ["normalise", "percentiles", "percentiles", "percentiles"]
    *first, third = workers = [
        new_worker(own_kafka.bootstrap, stage, STREAMS_PUBLISH_INTERVAL=interval) for stage in stages
    ]
    for worker in first:
        worker.start().ready()
    traffic = Traffic(own_kafka.bootstrap, seed=seed, events=EVENTS, rate=RATE)
    traffic.start()
    victims = [first[0]] * 3 + [first[1]] * 2 + [first[2]]
    random.shuffle(victims)

    for number, victim in enumerate(victims):
        if victim not in victims[number + 1 :]:
            victim.ready()  # others may come while it starts; the last kill of each finds it at work
        time.sleep(random.uniform(0.5, 3))
        victim.kill()
        time.sleep(random.uniform(0, 1))
        victim.start()
        if number == len(victims) // 2:
            third.start()
    traffic.stop()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=180)

    assert mistakes(own_kafka.bootstrap, traffic) == []
    assert traffic.redelivered
    assert traffic.malformed
    assert replays(own_kafka.bootstrap), "no kill came between publishing and committing: nothing was shown"
    assert [worker.terminate() for worker in workers] == [0] * len(workers)


def test_a_worker_takes_over_again_and_again_what_others_leave(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    """Each reads changelogs more than once in its life, beside partitions that it keeps."""
    workers = [new_worker(own_kafka.bootstrap, stage) for stage in ("normalise", "percentiles", "percentiles")]
    for worker in workers:
        worker.start().ready()
    traffic = Traffic(own_kafka.bootstrap, seed=seed, events=EVENTS, rate=RATE)
    traffic.start()
    for worker in workers[1:] * 2:
        time.sleep(1)
        assert worker.terminate() == 0, worker.said("not stopped in order")
        worker.start().ready()
    traffic.stop()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=180)

    assert mistakes(own_kafka.bootstrap, traffic) == []
