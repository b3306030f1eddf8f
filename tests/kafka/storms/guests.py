"""Long faults on the guests' path, minutes each: `make faults` (SEED=... repeats one). The short ones: test_guests.py.

Every storm ends like this: all faults stop, everything is settled, and what was published and what the callee got
agree with the messages that were sent. `guest_judge.py` says how.
"""

import time
from random import Random

import pytest

from deploy.local.kafka.broker import Broker
from tests.kafka.conftest import NewWorker
from tests.kafka.services.guest_system import GuestSystem

HALVES = (("messages", "rate-limit"), ("routing", "crm"))
STAGES = (("messages",), ("rate-limit",), ("routing",), ("crm",))


@pytest.mark.parametrize("share_429", [0.1, 0])
def test_routing_fails_while_its_worker_is_killed(
    own_kafka: Broker, new_worker: NewWorker, seed: int, share_429: float
) -> None:
    """A minute of 500s, with a kill every 10 s. Each 429 makes all wait for a second: a kill may meet no call then."""
    random, system = Random(seed), GuestSystem(own_kafka, new_worker, HALVES)
    before, routing = system.workers
    system.callee.fault(routing_500=0.3, routing_429=share_429, routing_retry_after=1)
    traffic, began, kills = system.begin(seed, seconds=60), time.monotonic(), 0
    for number in range(1, 7):
        if random.random() < 0.5:
            time.sleep(random.uniform(1, 6))
            before.kill()
            before.start()
        time.sleep(began + 10 * number - time.monotonic())
        routing.kill()
        routing.start()
        kills += 1
    system.callee.fault(routing_500=0, routing_429=0)

    verdict = system.conclude(traffic, kills=kills, within=300)
    assert share_429 or verdict.routing["repeats"] + verdict.crm["repeats"], "no kill met a call: nothing was shown"


def test_crm_down_for_a_minute(own_kafka: Broker, new_worker: NewWorker, seed: int) -> None:
    """Routing in the same process does not feel it: its 99th percentile stays below three times what it was + 0.1 s."""
    GuestSystem(own_kafka, new_worker, HALVES).survive_crm_outage(seed, warm_up=45, before=20, outage=60, percentile=99)


def test_guests_rolling_restarts(own_kafka: Broker, new_worker: NewWorker, seed: int) -> None:
    """3 rounds of SIGTERM: exit code 0 in time, nothing is lost, and nothing is called or published twice."""
    system = GuestSystem(own_kafka, new_worker, STAGES)
    traffic = system.begin(seed, seconds=60)
    for _ in range(3):
        for worker in system.workers:
            time.sleep(1)
            assert worker.terminate() == 0, worker.said("not stopped in order")
            worker.start().ready()

    verdict = system.conclude(traffic, kills=0)
    assert verdict.figures["published again"] == 0
