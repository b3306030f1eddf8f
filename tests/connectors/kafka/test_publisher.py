"""The fake keeps what Kafka's publisher promises; and what needs no Kafka, because there is none."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from connectors.errors import PublishError
from connectors.kafka.publisher import KafkaPublisher
from schemas.envelope import Outgoing
from tests.support.fakes import RecordingPublisher
from tests.support.publisher_contract import PublisherContract


@dataclass
class RecordingTopic:
    name: str = "topic"
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)

    def read(self) -> list[Outgoing]:
        return self.publisher.records

    def refused(self) -> Outgoing:
        self.publisher.refuse = "Message size too large"
        return Outgoing(self.name, b"k", b"v")


class TestRecordingPublisher(PublisherContract):
    @pytest.fixture
    def topic(self) -> RecordingTopic:
        return RecordingTopic()

    async def test_a_refused_batch_is_not_recorded(self, topic: RecordingTopic) -> None:
        record = topic.refused()

        with pytest.raises(PublishError, match="Message size too large"):
            await topic.publisher.publish([record])

        assert topic.read() == []

    async def test_closing_is_fine_at_any_time(self, topic: RecordingTopic) -> None:
        await topic.publisher.close()


@pytest.mark.parametrize("room", [10, 1], ids=["queued", "no room in the queue"])
async def test_what_is_not_delivered_can_be_given_up(room: int) -> None:
    nowhere = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "queue.buffering.max.messages": room}
    publisher = KafkaPublisher(nowhere)
    records = [Outgoing("topic", b"k", b"%d" % i) for i in range(3)]
    publishing = [asyncio.create_task(publisher.publish(records)) for _ in range(2)]
    await asyncio.sleep(0.05)

    publisher.give_up()

    ends = await asyncio.wait_for(asyncio.gather(*publishing, return_exceptions=True), 60)
    assert [type(end) for end in ends] == [PublishError] * 2
    await publisher.close()


class Refused:
    """A producer that Kafka gives no id: librdkafka tells of it once, and keeps what was queued."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.told = self.purged = False

    def produce(self, _topic: str, _value: bytes, _key: bytes, _partition: int, delivered: Any, *_: object) -> None:
        self.waiting.append(delivered)

    def poll(self, _seconds: float) -> None:
        if self.purged:
            for delivered in self.waiting:
                delivered(KafkaError(KafkaError._PURGE_QUEUE), None)
            self.waiting = []
        elif self.waiting:
            self.told = True
            raise KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no", fatal=True))

    def purge(self) -> None:
        self.purged = True


async def test_whoever_waits_hears_when_kafka_takes_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaPublisher, "_new_producer", lambda _: Refused())
    publisher = KafkaPublisher({"sasl.username": "reader"})

    with pytest.raises(PublishError, match="takes nothing any more: Kafka does not let user reader write with idempot"):
        await asyncio.wait_for(publisher.publish([Outgoing("topic", b"k", b"v")]), 30)
    await publisher.close()


async def test_a_record_is_queued_only_if_what_is_asked_right_before_it_allows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queued, asked = list[bytes](), itertools.count(1)

    class Queue:
        def produce(self, _topic: str, value: bytes, *_: object) -> None:
            queued.append(value)

        def poll(self, _seconds: float) -> None:
            """Deliver nothing."""

        def purge(self) -> None:
            """Nobody waits."""

    def stamp() -> int:
        if next(asked) == 3:  # the process was suspended after the second record
            raise TimeoutError("the lease has ended")
        return 0

    monkeypatch.setattr(KafkaPublisher, "_new_producer", lambda _: Queue())
    publisher = KafkaPublisher({}, stamp)

    with pytest.raises(TimeoutError):
        await publisher.publish([Outgoing("topic", b"k", b"%d" % i) for i in range(5)])
    await publisher.close()

    assert queued == [b"0", b"1"]


class Acknowledged:
    """A message that Kafka acknowledges in partition 0, with its place or, None, without."""

    def __init__(self, offset: int | None) -> None:
        self._offset = offset

    def offset(self) -> int | None:
        return self._offset

    def partition(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


class Acknowledging:
    """A producer that acknowledges everything, in the order of `offsets`."""

    def __init__(self, *offsets: int | None) -> None:
        self.offsets, self.waiting = list(offsets), list[Any]()

    def produce(self, _topic: str, _value: bytes, _key: bytes, _partition: int, delivered: Any, *_: object) -> None:
        self.waiting.append(delivered)

    def poll(self, _seconds: float) -> None:
        while self.waiting:
            self.waiting.pop(0)(None, Acknowledged(self.offsets.pop(0)))

    def purge(self) -> None:
        """Nobody waits."""


async def test_the_first_record_that_kafka_acknowledges_without_a_place_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KafkaPublisher, "_new_producer", lambda _: Acknowledging(0, None))
    publisher = KafkaPublisher({})

    with pytest.raises(PublishError, match="has only kept what followed"):
        await asyncio.wait_for(publisher.publish([Outgoing("topic", b"k", b"%d" % i) for i in range(2)]), 30)
    await publisher.close()


async def test_a_later_one_is_there_its_acknowledgement_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaPublisher, "_new_producer", lambda _: Acknowledging(0, None, 2))
    publisher = KafkaPublisher({})

    await asyncio.wait_for(publisher.publish([Outgoing("topic", b"k", b"0")]), 30)
    offsets = await asyncio.wait_for(publisher.publish([Outgoing("topic", b"k", b"%d" % i) for i in range(2)]), 30)
    await publisher.close()

    assert offsets == {("topic", 0): 2}
