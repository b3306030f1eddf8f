"""Following a small topic, beside a stop at any moment."""

import asyncio
from types import SimpleNamespace
from typing import Any

from connectors.kafka.follower import Follower


class Slow:
    """A consumer of librdkafka's that knows its topic after a moment; closed, it may not be used."""

    def __init__(self, *_: object, **__: object) -> None:
        self.closed = False
        self.assigned: list[Any] = []

    def list_topics(self, topic: str, _timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions={0: None, 1: None})
        return SimpleNamespace(topics={topic: found})

    def assign(self, partitions: list[Any]) -> None:
        if self.closed:
            raise RuntimeError("Consumer closed")
        self.assigned = partitions

    def consume(self, _number: int, _timeout: float) -> list[Any]:
        return [SimpleNamespace(error=lambda: None, value=lambda: b"value")]

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
