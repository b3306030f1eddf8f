"""A topic as it is read from outside, on a real Kafka."""

import json
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from connectors.errors import ConfigurationError
from connectors.kafka.group_lag import GroupLag
from connectors.kafka.topic_reader import Start, TopicReader
from streams.cli import app as commands
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


def test_following_begins_at_the_end_and_brings_what_comes_then(kafka: str, topic: str) -> None:
    reader = TopicReader({"bootstrap.servers": kafka})
    following = reader.follow(topic, Start(end=True))
    came: list[bytes | None] = []
    thread = threading.Thread(target=lambda: came.append(next(following).value), daemon=True)
    thread.start()

    producer = Producer({"bootstrap.servers": kafka})
    while thread.is_alive():  # it says not when it has begun
        producer.produce(topic, b"new", partition=2)
        producer.flush(30)
        thread.join(0.2)
    reader.close()

    assert came == [b"new"]


def test_tail_filters_and_ends_at_its_limit(kafka: str, topic: str) -> None:
    arguments = ["tail", topic, "--from", "beginning", "--filter", "value.number=1", "--limit", "1", "--json"]

    done = CliRunner(env={"KAFKA_BOOTSTRAP_SERVERS": kafka}).invoke(commands, arguments)

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["value"] == {"number": 1}


def test_the_lag_of_a_group_counts_from_what_it_has_committed_and_names_who_owns_what(kafka: str, topic: str) -> None:
    group = f"{topic}-group"
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.commit(offsets=[TopicPartition(topic, 1, 1)], asynchronous=False)
    consumer.subscribe([topic])
    deadline = time.monotonic() + 60
    while not consumer.assignment() and time.monotonic() < deadline:
        consumer.poll(0.2)

    found = GroupLag({"bootstrap.servers": kafka}).lags({group: [topic, "no-such-topic"], "nobody": [topic]})
    consumer.close()

    of_group = [(each.partition, each.committed, each.lag) for each in found[group]]
    assert of_group[1:] == [(1, 1, 1), (2, None, 0)]
    assert of_group[0][2] >= 4, "markers of transactions have offsets, too"
    assert all(each.owner for each in found[group])
    assert {each.owner for each in found["nobody"]} == {None}
