"""A topic as it is read from outside, on a real Kafka."""

import json

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from connectors.errors import ConfigurationError
from connectors.kafka.topic_reader import Start, TopicReader
from streams.cli.topics import app
from tests.conftest import NewTopicName


@pytest.fixture
def topic(kafka: str, new_topic: NewTopicName) -> str:
    """Three partitions: 0 with a committed transaction and an aborted one behind it, 1 with two records, 2 empty."""
    name = new_topic(3)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": name})
    producer.init_transactions(30)
    for value, ends in ((b"kept", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(name, value, b"key", 0)
        producer.flush(30)
        ends(30)
    plain = Producer({"bootstrap.servers": kafka})
    for number in range(2):
        plain.produce(name, b'{"number": %d}' % number, b"other", 1, timestamp=1000 * (number + 1))
    assert plain.flush(30) == 0
    return name


def test_it_reads_to_the_end_of_every_partition_past_what_was_aborted(kafka: str, topic: str) -> None:
    reader = TopicReader({"bootstrap.servers": kafka})

    found = sorted((each.partition, each.offset, each.value) for each in reader.read(topic, Start()))
    later = [each.value for each in reader.read(topic, Start(time=1500), limit=1)]
    reader.close()

    assert found == [(0, 0, b"kept"), (1, 0, b'{"number": 0}'), (1, 1, b'{"number": 1}')]
    assert later in ([b'{"number": 1}'], [b"kept"])


def test_a_topic_that_is_not_there_is_named(kafka: str) -> None:
    reader = TopicReader({"bootstrap.servers": kafka, "allow.auto.create.topics": False})

    with pytest.raises(ConfigurationError, match="no topic no-such-topic"):
        list(reader.read("no-such-topic", Start()))
    reader.close()


def test_the_command_prints_a_line_a_record(kafka: str, topic: str) -> None:
    run = CliRunner(env={"KAFKA_BOOTSTRAP_SERVERS": kafka}).invoke

    done = run(app, ["read", topic, "--json"])

    assert done.exit_code == 0, done.output
    assert sorted(json.loads(line)["offset"] for line in done.stdout.splitlines()) == [0, 0, 1]
