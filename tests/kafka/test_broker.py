"""The broker that other tests kill: what it acknowledged survives."""

import subprocess
import sys

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.local.kafka import broker as program
from deploy.local.kafka.broker import Broker, Failed
from tests.conftest import NewTopicName


def _write(bootstrap: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "acks": "all"})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def _end(bootstrap: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "end", "log_level": 0})
    end: int = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    consumer.close()
    return end


def test_a_throw_away_topic_takes_records(kafka: str, new_topic: NewTopicName) -> None:
    topic = new_topic(partitions=3)

    _write(kafka, topic, b"value")

    assert len(AdminClient({"bootstrap.servers": kafka}).list_topics(topic, 30).topics[topic].partitions) == 3


def test_acknowledged_records_survive_a_kill_and_a_stop(own_kafka: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("kept", 1)])["kept"].result(30)
    _write(own_kafka.bootstrap, "kept", b"1")

    own_kafka.kill()
    assert own_kafka.pid is None
    own_kafka.start()
    _write(own_kafka.bootstrap, "kept", b"2")
    own_kafka.stop()
    assert own_kafka.pid is None
    own_kafka.start()

    assert _end(own_kafka.bootstrap, "kept") == 2


def test_a_paused_broker_answers_again_after_resume(own_kafka: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.list_topics(timeout=30)

    own_kafka.pause()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0}).list_topics(timeout=0.5)
    own_kafka.resume()

    assert admin.list_topics(timeout=30).brokers


def test_starting_twice_is_starting_once_and_a_taken_port_is_named(own_kafka: Broker) -> None:
    pid = own_kafka.pid

    own_kafka.start()

    assert own_kafka.pid == pid
    data = own_kafka.log.parent.with_name("other")
    started = subprocess.run(
        [sys.executable, program.__file__, "start", "--port", str(own_kafka.port), "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert f"port {own_kafka.port} is taken by another program" in started.stderr
    with pytest.raises(Failed):
        Broker(own_kafka.port, data).start()
