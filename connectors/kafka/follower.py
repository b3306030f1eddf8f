"""All of a small topic, from its beginning and for ever, without taking part in a group."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from connectors.errors import Unavailable

log = structlog.get_logger(component="follower")

AT_A_TIME = 1000  # records
WAIT = 0.5  # seconds: how long closing may take
TIMEOUT = 5.0  # seconds for an answer
PAUSE = 1.0  # seconds between two questions


class Follower:
    """Reads `topic`; `config` is librdkafka's. An outage of Kafka is waited out."""

    def __init__(
        self, config: Mapping[str, object], topic: str, *, new_consumer: Callable[..., Any] = Consumer
    ) -> None:
        self._topic = topic
        self._consumer: Any = new_consumer(
            {
                "log_level": 3,
                **config,
                "group.id": "cxone-follower",  # needed, and never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": True,  # the embedded broker makes topics by being asked for them
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._asking: set[asyncio.Future[Any]] = set()
        self._reached: dict[int, int] = {}  # partition -> what comes next, of values that were yielded
        self._moved = asyncio.Event()
        self._open = True

    async def values(self) -> AsyncIterator[bytes]:
        """Yield each value in order, tombstones left out."""
        partitions = await self._partitions()
        if not self._open:
            return  # whoever closes was waiting for the same answer
        self._consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in partitions])
        while self._open:
            for message in await self._ask(self._consumer.consume, AT_A_TIME, WAIT):
                if (error := message.error()) is not None:
                    log.warning("cannot be read", topic=self._topic, reason=error.str())
                    continue
                if message.value() is not None:
                    yield message.value()
                self._reached[message.partition()] = message.offset() + 1
                self._moved.set()

    async def caught_up(self) -> None:
        """Return when everything that is in the topic now was yielded, and the next value asked for.

        Raises Unavailable when Kafka does not say where the topic ends.
        """
        try:
            numbers = await self._partitions()
            ends = dict(zip(numbers, await asyncio.gather(*map(self._end, numbers)), strict=True))
        except KafkaException as failure:
            raise Unavailable(f"Kafka does not say where {self._topic} ends: {failure.args[0]}") from None
        while self._open and any(self._reached.get(number, 0) < end for number, end in ends.items()):
            self._moved.clear()
            await self._moved.wait()

    async def close(self) -> None:
        self._open = False
        self._moved.set()
        if self._asking:
            await asyncio.wait(self._asking)
        await asyncio.to_thread(self._consumer.close)

    async def _ask(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Call in a thread, which goes on when whoever waits is cancelled: closing waits for it."""
        asking = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(asking)

    async def _end(self, partition: int) -> int:
        """Return the offset of what comes next; 0 where nothing is left to read."""
        first, end = await self._ask(
            self._consumer.get_watermark_offsets, TopicPartition(self._topic, partition), TIMEOUT
        )
        return end if end > first else 0

    async def _partitions(self) -> list[int]:
        while self._open:
            try:
                listed = await self._ask(self._consumer.list_topics, self._topic, TIMEOUT)
            except KafkaException as failure:
                log.info("Kafka does not answer yet", topic=self._topic, reason=str(failure))
            else:
                topic = listed.topics[self._topic]
                if topic.error is None and topic.partitions:
                    return sorted(topic.partitions)
            await asyncio.sleep(PAUSE)
        return []
