"""Faults on the guests' path, short: nothing is lost, overtaken or called twice. `make faults` runs longer storms."""

import time
from random import Random

import pytest

from deploy.local.kafka.broker import Broker
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.guests import ROUTED, await_settled
from tests.kafka.services.guest_system import GuestSystem
from tests.kafka.services.workers import NEVER_MISSED, until
from tests.kafka.storms.guests import HALVES, STAGES

QUICK = {"ROUTING_RETRY_BASE": "0.1", "CRM_WAIT": "1"}


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_killed_workers_lose_and_overtake_nothing(
    own_kafka: Broker, new_worker: NewWorker, seed: int, store: str
) -> None:
    if store == "rocksdb":
        pytest.importorskip("rocksdb")
    random, system = Random(seed), GuestSystem(own_kafka, new_worker, HALVES, STREAMS_STORE=store, **QUICK)
    system.callee.fault(routing_500=0.3, routing_429=0.1, routing_retry_after=0.05)
    traffic = system.begin(seed, seconds=6)
    time.sleep(random.uniform(1, 2))
    for worker in system.workers:
        time.sleep(random.uniform(0, 1))
        worker.kill()
        worker.start()
    for worker in system.workers:
        worker.ready()
    time.sleep(1)  # some calls fail in the new lives, too
    system.callee.fault(routing_500=0, routing_429=0)

    system.conclude(traffic, kills=1)


def test_a_crm_that_is_down_holds_up_no_routing(own_kafka: Broker, new_worker: NewWorker, seed: int) -> None:
    system = GuestSystem(own_kafka, new_worker, HALVES, **QUICK)
    system.callee.fault(crm={"status": 503})
    traffic = system.begin(seed, seconds=3)
    traffic.finish()

    await_settled(own_kafka.bootstrap, 120, ROUTED)
    until(lambda: system.callee.counts("crm")["statuses"], 60, "the CRM was called")
    assert system.callee.counts("crm")["statuses"].keys() == {"503"}
    system.callee.fault(crm=None)
    system.conclude(traffic, kills=0)


def test_guests_stages_restarted_in_order_call_and_publish_nothing_twice(
    own_kafka: Broker, new_worker: NewWorker, seed: int
) -> None:
    system = GuestSystem(own_kafka, new_worker, STAGES, **QUICK, **NEVER_MISSED)
    traffic = system.begin(seed, seconds=12)
    for worker in system.workers:
        time.sleep(0.5)
        assert worker.terminate() == 0, worker.said("not stopped in order")
        worker.start().ready()

    assert system.conclude(traffic, kills=0).figures["published again"] == 0
