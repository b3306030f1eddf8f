"""Following a small topic, beside a stop at any moment."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from connectors.errors import Unavailable
from connectors.kafka.follower import Follower


class Slow:
    """A consumer of librdkafka's that knows its topic after a moment; closed, it may not be used."""

    def __init__(self, *_: object, **__: object) -> None:
        self.closed, self.away, self.consumed = False, False, 0
        self.assigned: list[Any] = []

    def list_topics(self, topic: str, _timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions={0: None, 1: None})
        return SimpleNamespace(topics={topic: found})

    def assign(self, partitions: list[Any]) -> None:
        if self.closed:
            raise RuntimeError("Consumer closed")
        self.assigned = partitions

    def consume(self, _number: int, _timeout: float) -> list[Any]:
        self.consumed += 1
        offset = self.consumed - 1
        return [SimpleNamespace(error=lambda: None, value=lambda: b"value", partition=lambda: 0, offset=lambda: offset)]

    def get_watermark_offsets(self, place: Any, _timeout: float) -> tuple[int, int]:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return (0, 3) if place.partition == 0 else (7, 7)  # of the second all is gone by its age

    def close(self) -> None:
        self.closed = True


async def values(follower: Follower) -> list[bytes]:
    return [value async for value in follower.values()]


async def test_a_stop_while_partitions_are_asked_for_ends_it_quietly() -> None:
    consumer = Slow()
    follower = Follower({}, "topic", new_consumer=lambda *_, **__: consumer)
    reading = asyncio.create_task(values(follower))
    await asyncio.sleep(0)  # it asks

    await follower.close()

    assert await reading == []
    assert consumer.closed
    assert consumer.assigned == []


async def test_it_reads_every_partition_until_it_is_closed() -> None:
    consumer = Slow()
    follower = Follower({}, "topic", new_consumer=lambda *_, **__: consumer)
    found = []

    async for value in follower.values():
        found.append(value)
        if len(found) == 3:
            await follower.close()

    assert found[:3] == [b"value"] * 3
    assert [each.partition for each in consumer.assigned] == [0, 1]


async def test_it_is_caught_up_when_what_was_there_was_taken() -> None:
    follower = Follower({}, "topic", new_consumer=Slow)
    taken: list[bytes] = []

    async def take() -> None:
        async for value in follower.values():
            await asyncio.sleep(0.01)
            taken.append(value)

    taking = asyncio.create_task(take())
    await follower.caught_up()
    assert len(taken) >= 3
    await follower.close()
    await taking


async def test_a_kafka_that_does_not_say_where_the_topic_ends_is_unavailable() -> None:
    consumer = Slow()
    consumer.away = True
    follower = Follower({}, "topic", new_consumer=lambda *_, **__: consumer)

    with pytest.raises(Unavailable, match="where topic ends"):
        await follower.caught_up()
    await follower.close()
