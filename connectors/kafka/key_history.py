"""One key of a compacted topic, as a small memory that several processes share."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from connectors.errors import Unavailable
from connectors.kafka.publisher import Publisher
from schemas.envelope import Outgoing
from schemas.topics import TopicSpec

PARTITION = 0  # the only one, except on brokers that do not take the number that is declared
TIMEOUT = 10.0  # seconds for one reading
LONGEST_WAIT = 1.0  # seconds for one answer of the broker, so that the deadline is kept


class KeyHistory:
    """What was written under `key`. `config` is librdkafka's; the topic is small, and read as a whole."""

    def __init__(self, config: Mapping[str, object], topic: TopicSpec, key: bytes, publisher: Publisher) -> None:
        self._config, self._topic, self._key, self._publisher = config, topic.name, key, publisher

    async def recall(self) -> Sequence[bytes]:
        """Return the values that are there, oldest first. Raises Unavailable when Kafka does not answer in time."""
        return await asyncio.to_thread(self._read)

    async def remember(self, value: bytes) -> None:
        """Return when the broker has the value. Raises PublishError."""
        await self._publisher.publish([Outgoing(self._topic, self._key, value, partition=PARTITION)])

    def _read(self) -> list[bytes]:
        consumer = Consumer(
            {
                **self._config,
                "group.id": f"{self._topic}-reader",  # asked for, but no group is joined and nothing committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        try:
            consumer.assign([TopicPartition(self._topic, PARTITION, OFFSET_BEGINNING)])
            return self._until_end(consumer, time.monotonic() + TIMEOUT)
        except KafkaException as failure:
            raise Unavailable(f"Kafka does not give {self._topic}: {failure.args[0]}") from None
        finally:
            consumer.close()

    def _until_end(self, consumer: Consumer, deadline: float) -> list[bytes]:
        found: list[bytes] = []
        while (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(min(left, LONGEST_WAIT))
            if message is None:
                continue
            error = message.error()
            if error is None:
                value = message.value()
                if message.key() == self._key and value is not None:
                    found.append(value)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                return found
            elif not error.retriable() and error.code() != KafkaError._TRANSPORT:  # noqa: SLF001 - as above
                raise Unavailable(f"Kafka does not give {self._topic}: {error.str()}")
        raise Unavailable(f"Kafka does not give {self._topic} within {TIMEOUT:g} s")
