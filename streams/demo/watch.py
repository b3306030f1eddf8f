"""Looks at the topics from outside: rows, guests, dead letters and the lag of every stage."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.avro import Codec
from schemas.records import (
    AlertRecord,
    CampaignHour,
    CXoneInteraction,
    DashboardChange,
    InteractionScore,
    MetricSnapshot,
    RoutingResult,
)
from schemas.releases import FileSchemaIds
from schemas.topics import (
    ALERTS,
    CAMPAIGN_HOURLY,
    DASHBOARD_CHANGES,
    DEAD_LETTERS,
    GUEST_ADMITTED,
    GUEST_THROTTLED,
    INTERACTIONS_ML,
    METRICS_SNAPSHOTS,
    ML_SCORES,
    ROUTING_RESULTS,
)
from streams.demo.board import Board
from streams.topology import DECLARATIONS, STAGES, topics

R = TypeVar("R")

TIMEOUT = 10.0
_READ = (
    *(CAMPAIGN_HOURLY, GUEST_ADMITTED, GUEST_THROTTLED, ROUTING_RESULTS),
    *(METRICS_SNAPSHOTS, ALERTS, DEAD_LETTERS),
    *(INTERACTIONS_ML, DASHBOARD_CHANGES, ML_SCORES),
)


def _rows(codec: Codec) -> dict[str, Callable[[Board, bytes], None]]:
    """Return, by topic, what folds a value into the board."""

    def folding(record: type[R], fold: Callable[[Board, R], None]) -> Callable[[Board, bytes], None]:
        decode = codec.decoder(record)
        return lambda board, value: fold(board, decode(value))

    return {
        CAMPAIGN_HOURLY.name: folding(CampaignHour, lambda board, row: board.hour(row)),
        METRICS_SNAPSHOTS.name: folding(MetricSnapshot, lambda board, row: board.minutes.minute(row)),
        ALERTS.name: folding(AlertRecord, lambda board, row: board.minutes.alert(row)),
        INTERACTIONS_ML.name: folding(CXoneInteraction, lambda board, row: board.actions.interaction(row)),
        DASHBOARD_CHANGES.name: folding(DashboardChange, lambda board, row: board.actions.change(row)),
        ML_SCORES.name: folding(InteractionScore, lambda board, row: board.actions.score(row)),
    }


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
        self._result, self._rows = codec.decoder(RoutingResult), _rows(codec)
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
                case topic if value is not None:
                    self._rows[topic](board, value)

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
