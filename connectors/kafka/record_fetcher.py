"""Single records from Kafka, by where they are."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka.topic_reader import TIMEOUT
from schemas.envelope import Found

READ_ON = 2000  # offsets: what is nearer than that is read up to, instead of asked for
NOT_THERE = {KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART}  # noqa: SLF001 - its public name


class At(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int


class RecordFetcher:
    """Fetches committed records with the right to read their topics. `config` is librdkafka's. Blocking."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self._bootstrap = config["bootstrap.servers"]
        own = {"group.id": "cxone-record-fetcher", "enable.auto.commit": False, "log_level": 0}
        self._consumer = Consumer({**config, **own, "isolation.level": "read_committed", "enable.partition.eof": True})

    def fetch(self, places: Collection[At]) -> dict[At, Found]:
        """Return what is there: what was deleted, compacted away or never was is missing.

        Raises ConnectorError when Kafka does not answer.
        """
        wanted: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for topic, partition, offset in sorted(set(places)):
            wanted[topic, partition].append(offset)
        found: dict[At, Found] = {}
        try:
            for (topic, partition), offsets in wanted.items():
                self._fetch(topic, partition, offsets, found)
        except KafkaException as failure:
            raise ConnectorError(f"Kafka at {self._bootstrap}: {failure.args[0].str()}") from failure
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _fetch(self, topic: str, partition: int, offsets: list[int], found: dict[At, Found]) -> None:
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT)
        except KafkaException as failure:
            if failure.args[0].code() in NOT_THERE:  # a header may claim any partition
                return
            raise
        left = [offset for offset in offsets if low <= offset < high]
        position = high
        quiet_since = time.monotonic()
        while left:
            if not position <= left[0] < position + READ_ON:
                position = left[0]
                self._consumer.assign([TopicPartition(topic, partition, position)])
            for message in self._consumer.consume(500, 0.5):
                quiet_since = time.monotonic()
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    left = []
                    continue
                if error is not None:
                    raise KafkaException(error)
                offset = position = message.offset() or 0
                if offset in left:
                    headers = tuple((name, value or b"") for name, value in message.headers() or ())
                    _, timestamp = message.timestamp()
                    found[At(topic, partition, offset)] = Found(
                        partition, offset, timestamp, message.key(), message.value(), headers
                    )
                left = [each for each in left if each > offset]
            if time.monotonic() - quiet_since > TIMEOUT:
                raise ConnectorError(f"Kafka at {self._bootstrap} does not bring {topic}:{partition}:{left[0]}")
