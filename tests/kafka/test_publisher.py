"""Kafka's publisher on a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from os import urandom

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.errors import PublishError, TimedOutError
from connectors.kafka.publisher import KafkaPublisher
from deploy.local.kafka.broker import Broker
from schemas.envelope import Outgoing
from schemas.topics.spec import ROW_AGE, ROW_CONFIG
from streams.runtime.lease import Lease
from tests.conftest import NewTopicName
from tests.support.publisher_contract import PublisherContract


@dataclass
class KafkaTopic:
    name: str
    bootstrap: str
    publisher: KafkaPublisher

    def messages(self) -> list[Message]:
        """Read everything, in order within each partition."""
        config = {"bootstrap.servers": self.bootstrap, "group.id": self.name, "enable.auto.commit": False}
        consumer = Consumer({**config, "log_level": 0})
        partitions = consumer.list_topics(self.name, timeout=30).topics[self.name].partitions
        places = [TopicPartition(self.name, partition, 0) for partition in partitions]
        left = sum(consumer.get_watermark_offsets(place, timeout=30)[1] for place in places)
        consumer.assign(places)
        found: list[Message] = []
        while len(found) < left:
            found += consumer.consume(left - len(found), timeout=1)
        consumer.close()
        return found

    def read(self) -> list[Outgoing]:
        return [
            Outgoing(self.name, message.key(), message.value(), tuple(message.headers() or ()), message.partition())
            for message in self.messages()
        ]

    def refused(self) -> Outgoing:
        return Outgoing(self.name, b"k", bytes(2_000_001))


class TestKafkaPublisher(PublisherContract):
    @pytest.fixture
    async def topic(self, kafka: str, new_topic: NewTopicName) -> AsyncIterator[KafkaTopic]:
        publisher = KafkaPublisher({"bootstrap.servers": kafka})
        yield KafkaTopic(new_topic(partitions=2), kafka, publisher)
        await publisher.close()

    async def test_a_key_goes_where_java_and_aiokafka_put_it(self, topic: KafkaTopic, new_topic: NewTopicName) -> None:
        topic.name = new_topic(partitions=12)
        keys = [f"campaign {i} é".encode()[: 3 + i % 40] for i in range(10_000)]

        await topic.publisher.publish([Outgoing(topic.name, key, None) for key in keys])

        placed = {message.key(): message.partition() for message in topic.messages()}
        assert placed == {key: (murmur2(key) & 0x7FFFFFFF) % 12 for key in keys}
        assert set(placed.values()) == set(range(12))

    async def test_a_full_queue_waits_and_loses_nothing(self, topic: KafkaTopic) -> None:
        publisher = KafkaPublisher({"bootstrap.servers": topic.bootstrap, "queue.buffering.max.messages": 100})

        await publisher.publish([Outgoing(topic.name, b"k", b"%d" % i, (), 0) for i in range(5_000)])

        assert [message.value() for message in topic.messages()] == [b"%d" % i for i in range(5_000)]
        await publisher.close()

    async def test_after_giving_up_it_goes_on(self, topic: KafkaTopic) -> None:
        await topic.publisher.publish([Outgoing(topic.name, b"k", b"before", (), 0)])
        publishing = asyncio.create_task(
            topic.publisher.publish([Outgoing(topic.name, b"k", b"dropped?", (), 0)] * 100)
        )
        await asyncio.sleep(0)

        topic.publisher.give_up()
        with suppress(PublishError):  # unless Kafka was quicker
            await publishing
        await topic.publisher.publish([Outgoing(topic.name, b"k", b"after", (), 0)])

        values = [message.value() for message in topic.messages()]
        assert (values[0], values[-1]) == (b"before", b"after")

    async def test_what_the_broker_refuses_is_an_error(self, topic: KafkaTopic, new_topic: NewTopicName) -> None:
        topic.name = new_topic(config={"max.message.bytes": "1000"})

        with pytest.raises(PublishError, match=r"Kafka refused a record: .*[Ss]ize"):
            await topic.publisher.publish([Outgoing(topic.name, b"k", urandom(5_000))])

    async def test_a_topic_that_is_not_there_is_an_error(self, topic: KafkaTopic) -> None:
        publisher = KafkaPublisher({"bootstrap.servers": topic.bootstrap, "topic.metadata.propagation.max.ms": 100})

        with pytest.raises(PublishError, match=r"[Uu]nknown topic"):
            await publisher.publish([Outgoing("never-made", b"k", b"v")])

        await publisher.close()

    async def test_a_record_that_comes_later_than_its_topic_takes_is_told_apart_and_never_there(
        self, topic: KafkaTopic, new_topic: NewTopicName
    ) -> None:
        topic.name = new_topic(config={**ROW_CONFIG, ROW_AGE: "60000"})
        ages = [0, 1_000, 90_000, 0, 0, 91_000, 0, 92_000]  # ms; of two batches one, or two of three, are too old
        ahead = [round(1000 * time.time()) - age for age in ages]
        publisher = KafkaPublisher({"bootstrap.servers": topic.bootstrap}, stamp=lambda: ahead.pop(0))
        outcomes = []
        for batch in ([b"0", b"1"], [b"2", b"3"], [b"4"], [b"5", b"6", b"7"]):
            try:
                await publisher.publish([Outgoing(topic.name, value, value) for value in batch])
            except TimedOutError as late:
                outcomes.append(str(late))
            else:
                outcomes.append("")

        assert [bool(said) for said in outcomes] == [False, True, False, True]
        assert all("clock is behind" in said for said in outcomes if said)
        assert {b"0", b"1", b"4"} <= (values := {message.value() for message in topic.messages()})
        assert not values & {b"2", b"5", b"7"}
        await publisher.close()

    async def test_one_refused_record_fails_the_batch_that_it_came_with(self, topic: KafkaTopic) -> None:
        with pytest.raises(PublishError):
            await topic.publisher.publish([Outgoing(topic.name, b"k", b"good"), topic.refused()])


async def test_an_outage_is_waited_out_and_nothing_is_lost_or_repeated(own_kafka: Broker) -> None:
    publisher = KafkaPublisher({"bootstrap.servers": own_kafka.bootstrap, "topic.metadata.refresh.interval.ms": 500})
    topic = KafkaTopic("outage", own_kafka.bootstrap, publisher)
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("outage", 1)])["outage"].result(30)
    await publisher.publish([Outgoing("outage", b"k", b"before")])

    own_kafka.kill()
    waiting = asyncio.create_task(publisher.publish([Outgoing("outage", b"k", b"%d" % i) for i in range(1_000)]))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await asyncio.to_thread(own_kafka.start)
    async with asyncio.timeout(120):
        await waiting

    assert [message.value() for message in topic.messages()] == [b"before", *(b"%d" % i for i in range(1_000))]
    await publisher.close()


async def test_closing_gives_up_what_kafka_does_not_take() -> None:
    publisher = KafkaPublisher({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    waiting = asyncio.create_task(publisher.publish([Outgoing("topic", b"k", b"v")]))
    await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await publisher.close()

    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() or isinstance(waiting.exception(), PublishError)


async def test_rows_of_a_machine_that_its_host_stopped_are_refused(kafka: str, new_topic: NewTopicName) -> None:
    stopped_for = 0.0
    lease = Lease(60.0, clock=lambda: 100.0, time=lambda: time.time() - stopped_for)  # neither clock went on meanwhile
    topic = new_topic(config={**ROW_CONFIG, ROW_AGE: "60000"})
    publisher = KafkaPublisher({"bootstrap.servers": kafka}, stamp=partial(lease.stamp, 60_000))
    await publisher.publish([Outgoing(topic, b"hour", b"before")])

    stopped_for = 300.0
    with pytest.raises(TimedOutError):
        await publisher.publish([Outgoing(topic, b"hour", b"5 minutes ago")])

    assert lease.held
    assert [message.value() for message in KafkaTopic(topic, kafka, publisher).messages()] == [b"before"]
    await publisher.close()
