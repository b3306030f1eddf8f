import socket
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.embedded import PARTITIONS, EmbeddedBroker


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker()
    yield broker
    broker.close()


def test_topics_appear_on_first_use(broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})

    producer.produce("new", b"value")

    assert producer.flush(10) == 0
    assert len(producer.list_topics("new", 10).topics["new"].partitions) == PARTITIONS


def test_what_a_group_committed_is_remembered(broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True})
    for number in range(10):
        producer.produce("numbers", str(number).encode(), partition=0)
    assert producer.flush(10) == 0

    first = _read_and_commit(broker, 6)
    second = _read_and_commit(broker, 4)

    assert [str(number).encode() for number in range(10)] == first + second


def test_a_transaction_arrives(broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "t"})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce("numbers", b"in a transaction", partition=0)
    producer.commit_transaction(10)

    assert _read_and_commit(broker, 1) == [b"in a transaction"]


def test_nothing_listens_after_close() -> None:
    broker = EmbeddedBroker()
    host, port = broker.bootstrap_servers.rsplit(":", 1)
    socket.create_connection((host, int(port))).close()

    broker.close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def _read_and_commit(broker: EmbeddedBroker, count: int) -> list[bytes]:
    """Read the next `count` values of partition 0 of the topic "numbers".

    By assignment: this broker lets a group's first members wait for three seconds.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "readers",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.assign(consumer.committed([TopicPartition("numbers", 0)], 10))
    messages = consumer.consume(count, 10)
    consumer.commit(message=messages[-1], asynchronous=False)
    consumer.close()
    return [message.value() for message in messages]
