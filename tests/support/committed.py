"""Reads topics as a reader of committed records sees them."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition


def read_committed(bootstrap: str, topic: str) -> list[Message]:
    """Return everything up to the last stable offset of each partition, in order within each."""
    return Reader(bootstrap, [topic]).to_the_end()


class Reader:
    """Follows whole topics from their beginning."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        listed = [(topic, self._consumer.list_topics(topic, timeout=30).topics[topic].partitions) for topic in topics]
        self._places = [(topic, partition) for topic, partitions in listed for partition in partitions]
        self._consumer.assign([TopicPartition(*place, 0) for place in self._places])

    def to_the_end(self) -> list[Message]:
        """Return what is left; let go of Kafka."""
        ended: set[tuple[str, int]] = set()
        found: list[Message] = []
        while ended != set(self._places):
            for message in self._consumer.consume(1000, timeout=0.2):
                place = message.topic(), message.partition()
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(place)
        self._consumer.close()
        return found

    def until(self, value: bytes, within: float) -> float:
        """Return after how many seconds a record with `value` was there; let go of Kafka. Raises TimeoutError."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None and message.value() == value:
                self._consumer.close()
                return time.monotonic() - began
        self._consumer.close()
        raise TimeoutError(f"{value!r} was not there after {within} s")
