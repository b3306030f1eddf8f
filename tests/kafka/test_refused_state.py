"""State that a worker must not go on with: of another version, another number of partitions, another topic."""

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from connectors.kafka.topic_admin import TopicAdmin
from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.core.state_format import KEY
from streams.topology import DECLARATIONS, topics
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.hours import read
from tests.kafka.services.workers import Worker, until

(WINDOWS,) = DECLARATIONS["percentiles"].changelogs
AT = 1_795_255_200_000  # ms


def produce(broker: Broker, *offsets: int) -> None:
    encode = Codec(FileSchemaIds()).encoder(InteractionCompleted)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for offset in offsets:
        value = encode(InteractionCompleted(None, "sales", 60.0, 5.0, AT))
        headers = [(SOURCE_POSITION, b"0:%d" % offset)]
        producer.produce(INTERACTIONS_COMPLETED.name, value, b"sales", headers=headers, partition=0)
    assert producer.flush(30) == 0


@pytest.fixture
def admin(own_kafka: Broker) -> TopicAdmin:
    admin = TopicAdmin({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.create(topics(), partitions=1)
    return admin


@pytest.fixture
def worker(own_kafka: Broker, admin: TopicAdmin, new_worker: NewWorker) -> Worker:
    """A worker of percentiles that has counted something and was stopped."""
    del admin  # the topics
    produce(own_kafka, *range(100))
    worker = new_worker(own_kafka.bootstrap, "percentiles").start()
    worker.ready()
    until(lambda: any(True for _ in read(own_kafka.bootstrap, CAMPAIGN_HOURLY.name)), 60, "a row")
    assert worker.terminate() == 0
    return worker


def refused(worker: Worker, *words: str) -> None:
    assert worker.start().exit_code(within=60) == 2, worker.said("not refused")
    for word in (*words, WINDOWS.name, "cxone-percentiles"):
        assert word in worker.log.read_text()


def test_newer_state_is_refused(own_kafka: Broker, worker: Worker) -> None:
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    producer.produce(WINDOWS.name, orjson.dumps({"version": 99}), b"0|99|" + KEY, partition=0)
    assert producer.flush(30) == 0

    assert worker.start().exit_code(within=60) == 2, worker.said("not refused")
    assert "version 99" in worker.log.read_text()


def test_state_of_a_topic_that_grew_is_refused(own_kafka: Broker, worker: Worker) -> None:
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    grown = [NewPartitions(name, 2) for name in (INTERACTIONS_COMPLETED.name, WINDOWS.name)]
    for answer in admin.create_partitions(grown).values():
        answer.result(30)

    refused(worker, "had 1 partitions, and now it has 2")


def test_state_of_a_raw_topic_that_was_made_again_is_refused(
    own_kafka: Broker, admin: TopicAdmin, worker: Worker
) -> None:
    before = admin.ids([RAW_INTERACTIONS.name])
    kafka = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    kafka.delete_topics([RAW_INTERACTIONS.name])[RAW_INTERACTIONS.name].result(30)
    until(lambda: RAW_INTERACTIONS.name not in admin.partitions(), 60, "deleted")
    admin.create([RAW_INTERACTIONS], partitions=1)
    assert admin.ids([RAW_INTERACTIONS.name]) != before

    refused(worker, f"{RAW_INTERACTIONS.name} was deleted and made again")
