"""What every publisher promises: Kafka's is held to it in tests/kafka, and beside this the fake that tests rely on."""

import asyncio
from typing import Protocol

import pytest

from connectors.errors import PublishError
from connectors.kafka.publisher import Publisher
from schemas.envelope import Outgoing


class Topic(Protocol):
    """A topic with two partitions, and a publisher to write to it."""

    name: str
    publisher: Publisher

    def read(self) -> list[Outgoing]:
        """Return what was published, in order within each partition."""

    def refused(self) -> Outgoing:
        """Return a record that will be refused."""


class PublisherContract:
    """Subclasses have a fixture `topic`."""

    async def test_what_was_published_is_there_when_publish_returns(self, topic: Topic) -> None:
        headers = (("a", b"1"), ("a", b"2"), ("empty", b""))
        record = Outgoing(topic.name, b"key", b"value", headers, 1)

        await topic.publisher.publish([record])

        assert topic.read() == [record]

    async def test_keys_and_values_may_be_missing(self, topic: Topic) -> None:
        records = [Outgoing(topic.name, None, b"v", (), 0), Outgoing(topic.name, b"k", None, (), 0)]

        await topic.publisher.publish(records)

        assert topic.read() == records

    async def test_records_of_a_key_keep_their_order(self, topic: Topic) -> None:
        records = [Outgoing(topic.name, b"%d" % (i % 7), b"%d" % i) for i in range(2_000)]

        for start in range(0, 2_000, 100):
            await topic.publisher.publish(records[start : start + 100])

        for key in {record.key for record in records}:
            published = [record.value for record in topic.read() if record.key == key]
            assert published == [record.value for record in records if record.key == key]

    async def test_batches_that_are_not_waited_for_keep_their_order(self, topic: Topic) -> None:
        async with asyncio.TaskGroup() as tasks:
            for i in range(50):
                tasks.create_task(topic.publisher.publish([Outgoing(topic.name, b"k", b"%d" % i)]))

        assert [record.value for record in topic.read()] == [b"%d" % i for i in range(50)]

    async def test_the_last_offsets_are_told(self, topic: Topic) -> None:
        def records(*partitions: int | None) -> list[Outgoing]:
            return [Outgoing(topic.name, b"k", b"v", (), partition) for partition in partitions]

        first = await topic.publisher.publish(records(0, 0, 1))
        second = await topic.publisher.publish(records(0))

        assert first.keys() == {(topic.name, 0), (topic.name, 1)}
        assert second.keys() == {(topic.name, 0)}
        assert second[topic.name, 0] > first[topic.name, 0]
        (place,) = await topic.publisher.publish(records(None, None))
        assert place[0] == topic.name

    async def test_publishing_nothing_is_done_at_once(self, topic: Topic) -> None:
        assert await topic.publisher.publish([]) == {}
        assert topic.read() == []

    async def test_a_refused_record_is_an_error_that_says_why(self, topic: Topic) -> None:
        with pytest.raises(PublishError, match=r".{10,}"):
            await topic.publisher.publish([topic.refused()])
