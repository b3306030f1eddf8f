"""Worker processes on a real Kafka: how they start, refuse to start, stop and crash."""

import time
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from streams.topology import DECLARATIONS, topics
from tests.conftest import NewTopicName
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import await_committed, mistakes, replays
from tests.kafka.services import poisoned_worker
from tests.kafka.services.traffic import Traffic
from tests.kafka.services.workers import NEVER_MISSED, probe, until
from tests.support.ports import free_port

(WINDOWS,) = DECLARATIONS["percentiles"].changelogs


def create_topics(broker: Broker, partitions: int) -> None:
    TopicAdmin({"bootstrap.servers": broker.bootstrap, "log_level": 0}).create(topics(), partitions=partitions)


def test_workers_restarted_in_order_publish_nothing_twice(own_kafka: Broker, new_worker: NewWorker) -> None:
    workers = [
        new_worker(own_kafka.bootstrap, stage, **NEVER_MISSED) for stage in ("normalise", "normalise", "percentiles")
    ]
    for worker in workers:
        worker.start().ready()
    traffic = Traffic(own_kafka.bootstrap, seed=1, events=60_000, rate=1000)
    traffic.start()

    for worker in workers:
        time.sleep(1.5)
        assert worker.terminate() == 0, worker.said("not stopped in order")
        worker.start().ready()
    traffic.stop()
    traffic.finish()
    await_committed(own_kafka.bootstrap, within=60)

    assert mistakes(own_kafka.bootstrap, traffic) == []
    assert replays(own_kafka.bootstrap) == 0


def test_a_worker_stops_in_the_middle_of_recovery(own_kafka: Broker, new_worker: NewWorker) -> None:
    create_topics(own_kafka, partitions=1)
    producer = Producer(
        {
            "bootstrap.servers": own_kafka.bootstrap,
            "linger.ms": 50,
            "log_level": 0,
            "queue.buffering.max.messages": 400_000,
        }
    )
    for number in range(300_000):
        producer.produce(WINDOWS.name, b"{}", b"0|1|campaign-%d" % number)
    assert producer.flush(60) == 0
    address = f"127.0.0.1:{free_port()}"
    worker = new_worker(own_kafka.bootstrap, "percentiles", STREAMS_HTTP_PORT=address.partition(":")[2]).start()

    until(lambda: "restoring state" in str(probe(address, "/readyz")), 60, "in recovery")

    assert worker.terminate() == 0, worker.said("stopped in recovery")


def test_a_worker_without_a_partition_says_so(own_kafka: Broker, new_worker: NewWorker) -> None:
    create_topics(own_kafka, partitions=1)
    first = new_worker(own_kafka.bootstrap, "percentiles").start()
    address = first.ready()["http"]
    spare_address = f"127.0.0.1:{free_port()}"
    spare = new_worker(own_kafka.bootstrap, "percentiles", STREAMS_HTTP_PORT=spare_address.partition(":")[2]).start()

    def idle() -> str | None:
        answers = probe(address, "/readyz"), probe(spare_address, "/readyz")
        idle = [str(said) for status, said in answers if status == 503]
        return next((said for said in idle if "more workers than partitions" in said), None)

    until(idle, 60, "one of two workers says that it has no partition")
    assert [probe(one, "/livez")[0] for one in (address, spare_address)] == [200, 200]
    assert spare.terminate() == 0
    until(lambda: probe(address, "/readyz")[0] == 200, 60, "the other one has it")


def test_missing_topics_are_named(own_kafka: Broker, new_worker: NewWorker) -> None:
    worker = new_worker(own_kafka.bootstrap, "percentiles", KAFKA_CREATE_TOPICS="false").start()

    assert worker.exit_code(within=60) == 2
    assert WINDOWS.name in worker.log.read_text()
    assert "cxone-streams topics create" in worker.log.read_text()


@pytest.mark.parametrize(
    ("stored", "status"), [((b"0|1|campaign", b"no JSON"), 2), ((b"no prefix", b"{}"), 1)], ids=["no form", "no key"]
)
def test_state_that_cannot_be_read_ends_the_worker(
    own_kafka: Broker, new_worker: NewWorker, stored: tuple[bytes, bytes], status: int
) -> None:
    create_topics(own_kafka, partitions=1)
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    producer.produce(WINDOWS.name, stored[1], stored[0])
    assert producer.flush(30) == 0

    worker = new_worker(own_kafka.bootstrap, "percentiles").start()

    assert worker.exit_code(within=60) == status, worker.said("not ended")


def test_a_bug_in_a_stage_ends_the_worker_and_its_record_stays_uncommitted(
    kafka: str, new_topic: NewTopicName, new_worker: NewWorker
) -> None:
    topic, stage = new_topic(), f"test-{uuid.uuid4().hex}"
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})

    def produce(*values: bytes) -> None:
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(30) == 0

    consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"cxone-{stage}"})

    def committed() -> int:
        return int(consumer.committed([TopicPartition(topic, 0)], timeout=60)[0].offset)

    produce(b"good", b"good")
    worker = new_worker(kafka, stage, topic, program=(poisoned_worker.__file__,)).start()
    worker.ready()
    until(lambda: committed() == 2, 60, "what came before is committed")
    produce(b"poison", b"good")

    assert worker.exit_code(within=60) == 1, worker.said("not crashed")
    assert committed() == 2
    assert "a bug meets its record" in worker.log.read_text()
    assert worker.start().exit_code(within=60) == 1, worker.said("not crashed again")
    assert committed() == 2
    consumer.close()
