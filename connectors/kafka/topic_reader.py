"""Reads a topic from outside: no consumer group, nothing committed. To the end that it has then, or for ever."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from connectors.errors import ConfigurationError, ConnectorError
from schemas.envelope import Found

TIMEOUT = 15.0  # seconds for each answer of the broker
_OFFSET = re.compile(r"\d{1,19}")  # no offset has more digits
_AGO = re.compile(r"(\d{1,10})([smhd])")  # of so many days the milliseconds are still a time to Kafka
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading begins: at an offset of every partition, a time (ms since the epoch), the end, or the beginning."""

    offset: int | None = None
    time: int | None = None
    end: bool = False


def start(text: str, *, now: float) -> Start:
    """Read `beginning`, `end`, an offset, an age such as `10m` or `2d`, or an ISO 8601 time; `now` in seconds.

    Raises ConfigurationError.
    """
    if text == "beginning":
        return Start()
    if text == "end":
        return Start(end=True)
    if _OFFSET.fullmatch(text):
        return Start(offset=int(text))
    if ago := _AGO.fullmatch(text):
        return Start(time=int((now - int(ago[1]) * _SECONDS[ago[2]]) * 1000))
    try:
        at = datetime.fromisoformat(text.upper())  # RFC 3339 lets T and Z be small
    except ValueError:
        raise ConfigurationError(
            f"{text[:80]!r} is no start: beginning, end, an offset, an age such as 10m, 2h or 1d, or a time such as "
            "2026-01-30T12:00:00Z"
        ) from None
    return Start(time=int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


class TopicReader:
    """Reads with the rights to describe and read a topic. `config` is librdkafka's. Blocking."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self._bootstrap = config["bootstrap.servers"]
        own = {"group.id": "cxone-topics-read", "enable.auto.commit": False, "log_level": 0}
        self._consumer = Consumer({**config, **own, "isolation.level": "read_committed"})

    def read(self, topic: str, begin: Start, *, limit: int | None = None) -> Iterator[Found]:
        """Yield records in the order of each partition; at most `limit`.

        Raises ConfigurationError when there is no such topic, ConnectorError when Kafka does not answer.
        """
        try:
            places, ends = self._assign(topic, begin)
            left = {partition: ends[partition] for partition, at in places.items() if at < ends[partition]}
            number = 0
            quiet_since = time.monotonic()
            while left and (limit is None or number < limit):
                for message in self._consumer.consume(500, 0.5):
                    _check(message)
                    quiet_since = time.monotonic()
                    if (limit is None or number < limit) and message.offset() < left.get(message.partition(), 0):
                        number += 1
                        yield _found(message)
                left = self._behind(topic, left)
                if time.monotonic() - quiet_since > TIMEOUT:
                    raise ConnectorError(f"Kafka at {self._bootstrap} brings no records of {topic}, though it has some")
        except KafkaException as failure:
            raise ConnectorError(f"Kafka at {self._bootstrap}: {failure.args[0].str()}") from failure

    def follow(self, topic: str, begin: Start) -> Iterator[Found]:
        """Yield records as they come, for ever.

        Raises ConfigurationError when there is no such topic, ConnectorError when Kafka does not answer at first; an
        outage later is waited out.
        """
        try:
            self._assign(topic, begin)
            while True:
                for message in self._consumer.consume(500, 0.5):
                    if message.error() is None or not message.error().retriable():
                        _check(message)
                        yield _found(message)
        except KafkaException as failure:
            raise ConnectorError(f"Kafka at {self._bootstrap}: {failure.args[0].str()}") from failure

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _assign(self, topic: str, begin: Start) -> tuple[dict[int, int], dict[int, int]]:
        """Begin to fetch; return where each partition begins and ends."""
        listed = self._consumer.list_topics(topic, TIMEOUT).topics[topic]
        if listed.error is not None or not listed.partitions:
            raise ConfigurationError(f"there is no topic {topic}: `cxone-streams topics check` lists those that are")
        partitions = [TopicPartition(topic, partition) for partition in sorted(listed.partitions)]
        bounds = {each.partition: self._consumer.get_watermark_offsets(each, TIMEOUT) for each in partitions}
        if begin.time is not None:
            wanted = [TopicPartition(topic, each.partition, begin.time) for each in partitions]
            answers = {each.partition: each.offset for each in self._consumer.offsets_for_times(wanted, TIMEOUT)}
            # -1 where nothing is as young
            starts = {each: at if at >= 0 else bounds[each][1] for each, at in answers.items()}
        else:
            starts = {each: high if begin.end else begin.offset or 0 for each, (_, high) in bounds.items()}
        places = {each: min(max(starts[each], low), high) for each, (low, high) in bounds.items()}
        self._consumer.assign([TopicPartition(topic, each, at or OFFSET_BEGINNING) for each, at in places.items()])
        return places, {each: high for each, (_, high) in bounds.items()}

    def _behind(self, topic: str, ends: Mapping[int, int]) -> dict[int, int]:
        """Return the partitions that were not read to their end. Positions pass over transaction markers."""
        positions = self._consumer.position([TopicPartition(topic, partition) for partition in ends])
        return {each.partition: ends[each.partition] for each in positions if each.offset < ends[each.partition]}


def _check(message: Message) -> None:
    if message.error():
        raise KafkaException(message.error())


def _found(message: Message) -> Found:
    partition, offset, (_, timestamp) = message.partition(), message.offset(), message.timestamp()
    headers = tuple((name, value or b"") for name, value in message.headers() or ())
    return Found(partition or 0, offset or 0, timestamp, message.key(), message.value(), headers)
