"""Looks at the topics from outside: rows, guests, dead letters and the lag of every stage."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.avro import Codec
from schemas.records import AlertRecord, CampaignHour, MetricSnapshot, RoutingResult
from schemas.releases import FileSchemaIds
from schemas.topics import (
    ALERTS,
    CAMPAIGN_HOURLY,
    DEAD_LETTERS,
    GUEST_ADMITTED,
    GUEST_THROTTLED,
    METRICS_SNAPSHOTS,
    ROUTING_RESULTS,
)
from streams.demo.board import Board
from streams.topology import DECLARATIONS, STAGES, topics

TIMEOUT = 10.0
_READ = (
    *(CAMPAIGN_HOURLY, GUEST_ADMITTED, GUEST_THROTTLED, ROUTING_RESULTS),
    *(METRICS_SNAPSHOTS, ALERTS, DEAD_LETTERS),
)


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
        self._groups = {stage: Consumer({**self._config, "group.id": f"cxone-{stage}"}) for stage in STAGES}
        self._partitions = self._make_topics()
        codec = Codec(FileSchemaIds())
        self._hour, self._result = codec.decoder(CampaignHour), codec.decoder(RoutingResult)
        self._minute, self._alert = codec.decoder(MetricSnapshot), codec.decoder(AlertRecord)
        self._consumer.assign(
            [
                TopicPartition(spec.name, partition, OFFSET_BEGINNING)
                for spec in _READ
                for partition in self._partitions[spec.name]
            ]
        )

    def read(self, board: Board, within: float) -> None:
        """Fold into `board` what arrives `within` seconds."""
        for message in self._consumer.consume(1000, within):
            if message.error():
                raise KafkaException(message.error())
            headers, value = dict(message.headers() or ()), message.value()
            match message.topic():
                case DEAD_LETTERS.name:
                    board.dead_letter(headers)
                case GUEST_ADMITTED.name:
                    board.guests.admitted.add(headers)
                case GUEST_THROTTLED.name:
                    board.guests.throttled.add(headers)
                case ROUTING_RESULTS.name:
                    board.guests.result(headers, self._result(value))
                case CAMPAIGN_HOURLY.name if value is not None:
                    board.hour(self._hour(value))
                case METRICS_SNAPSHOTS.name if value is not None:
                    board.minutes.minute(self._minute(value))
                case ALERTS.name if value is not None:
                    board.minutes.alert(self._alert(value))

    def lag(self) -> Mapping[str, int]:
        """Return how many records of its topics each stage has not finished with: what waits for a retry, too."""
        return {stage: self._lag(stage) for stage in STAGES}

    def close(self) -> None:
        for consumer in (self._consumer, *self._groups.values()):
            consumer.close()

    def _make_topics(self) -> dict[str, list[int]]:
        """Ask for every topic: on the embedded broker that creates it."""
        metadata: Any = {spec.name: self._consumer.list_topics(spec.name, TIMEOUT) for spec in topics()}
        return {name: sorted(listed.topics[name].partitions) for name, listed in metadata.items()}

    def _lag(self, stage: str) -> int:
        consumer, lag = self._groups[stage], 0
        wanted = [
            TopicPartition(spec.name, p) for spec in DECLARATIONS[stage].sources for p in self._partitions[spec.name]
        ]
        for committed in consumer.committed(wanted, TIMEOUT):
            first, end = consumer.get_watermark_offsets(TopicPartition(committed.topic, committed.partition), TIMEOUT)
            lag += end - max(committed.offset, first)  # nothing committed yet is a negative number
        return lag
