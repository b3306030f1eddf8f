"""Looks at the topics from outside: rows, dead letters and the lag of every stage."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.avro import Codec, FileSchemaIds
from schemas.records import CampaignHour
from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS, INTERACTIONS_COMPLETED, RAW_INTERACTIONS, TOPICS
from streams.demo.board import Board

SOURCES = {"normalise": RAW_INTERACTIONS, "percentiles": INTERACTIONS_COMPLETED, "influx": CAMPAIGN_HOURLY}
TIMEOUT = 10.0


class Watch:
    """Reads without taking part: its consumers join no group. Blocking; call it from a thread."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._config = {
            "bootstrap.servers": bootstrap_servers,
            "enable.auto.commit": False,
            "allow.auto.create.topics": True,
            "log_level": 3,
        }
        self._consumer = Consumer({**self._config, "group.id": "demo"})
        self._groups = {stage: Consumer({**self._config, "group.id": f"cxone-{stage}"}) for stage in SOURCES}
        self._partitions = self._make_topics()
        self._hour = Codec(FileSchemaIds()).decoder(CampaignHour)
        self._consumer.assign(
            [
                TopicPartition(spec.name, partition, OFFSET_BEGINNING)
                for spec in (CAMPAIGN_HOURLY, DEAD_LETTERS)
                for partition in self._partitions[spec.name]
            ]
        )

    def read(self, board: Board, within: float) -> None:
        """Fold into `board` what arrives `within` seconds."""
        for message in self._consumer.consume(1000, within):
            if message.error():
                raise KafkaException(message.error())
            if message.topic() == DEAD_LETTERS.name:
                board.dead_letter(dict(message.headers() or ()))
            elif message.value() is not None:
                board.hour(self._hour(message.value()))

    def lag(self) -> Mapping[str, int]:
        """Return how many records of its topic each stage has not finished with."""
        return {stage: self._lag(stage) for stage in SOURCES}

    def close(self) -> None:
        for consumer in (self._consumer, *self._groups.values()):
            consumer.close()

    def _make_topics(self) -> dict[str, list[int]]:
        """Ask for every topic: on the embedded broker that creates it."""
        metadata: Any = {spec.name: self._consumer.list_topics(spec.name, TIMEOUT) for spec in TOPICS}
        return {name: sorted(listed.topics[name].partitions) for name, listed in metadata.items()}

    def _lag(self, stage: str) -> int:
        consumer, topic = self._groups[stage], SOURCES[stage].name
        lag = 0
        for committed in consumer.committed([TopicPartition(topic, p) for p in self._partitions[topic]], TIMEOUT):
            first, end = consumer.get_watermark_offsets(TopicPartition(topic, committed.partition), TIMEOUT)
            lag += end - max(committed.offset, first)  # nothing committed yet is a negative number
        return lag
