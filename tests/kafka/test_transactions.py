"""Transactions on a real Kafka: what readers of committed records see, whatever happens to their writers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.errors import FencedError, PublishError
from connectors.kafka.publisher import TRANSACTION_TIMEOUT, transactional_config
from connectors.kafka.transactions import TransactionalPublisher
from schemas.envelope import Outgoing
from streams.programs.webhooks import IN_TURN
from tests.conftest import NewTopicName
from tests.support.committed import Reader, read_committed
from tests.support.publisher_contract import PublisherContract

ROOT = Path(__file__).parents[2]

OPEN = """
import sys, time
from confluent_kafka import Producer
bootstrap, transactional_id, topic, timeout = sys.argv[1:]
producer = Producer(
    {"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "transaction.timeout.ms": timeout}
)
producer.init_transactions(30)
producer.begin_transaction()
producer.produce(topic, b"open", b"k")
producer.flush(30)
print("open", flush=True)
time.sleep(300)
"""


@dataclass
class KafkaTopic:
    name: str
    bootstrap: str
    publisher: TransactionalPublisher

    def read(self) -> list[Outgoing]:
        return [
            Outgoing(self.name, message.key(), message.value(), tuple(message.headers() or ()), message.partition())
            for message in read_committed(self.bootstrap, self.name)
        ]

    def refused(self) -> Outgoing:
        return Outgoing(self.name, b"k", bytes(2_000_001))


async def started(bootstrap: str, transactional_id: str, in_turn: int = 1) -> TransactionalPublisher:
    config = transactional_config({"bootstrap.servers": bootstrap}, transactional_id)
    publisher = TransactionalPublisher(config, in_turn=in_turn)
    await publisher.start()
    return publisher


class TestTransactionalPublisher(PublisherContract):
    @pytest.fixture
    async def topic(self, kafka: str, new_topic: NewTopicName) -> AsyncIterator[KafkaTopic]:
        name = new_topic(partitions=2)
        publisher = await started(kafka, name, IN_TURN)
        yield KafkaTopic(name, kafka, publisher)
        await publisher.close()

    async def test_what_came_with_a_refused_record_is_not_there_either(self, topic: KafkaTopic) -> None:
        with pytest.raises(PublishError, match="too large"):
            await topic.publisher.publish([Outgoing(topic.name, b"k", b"v"), topic.refused()])
        await topic.publisher.publish([Outgoing(topic.name, b"k", b"after")])

        assert [record.value for record in topic.read()] == [b"after"]

    async def test_what_is_forbidden_at_the_last_moment_is_not_there(self, topic: KafkaTopic) -> None:
        def forbid() -> None:
            raise RuntimeError("not ours any more")

        with pytest.raises(RuntimeError, match="not ours"):
            await topic.publisher.publish([Outgoing(topic.name, b"k", b"v")], forbid)
        await topic.publisher.publish([Outgoing(topic.name, b"k", b"after")], lambda: None)

        assert [record.value for record in topic.read()] == [b"after"]

    async def test_of_two_under_one_id_one_goes_on(self, topic: KafkaTopic) -> None:
        other = await started(topic.bootstrap, topic.name, IN_TURN)
        both = (topic.publisher, other)
        ended: list[TransactionalPublisher] = []

        async with asyncio.timeout(60):
            while not ended:
                for publisher in both:
                    try:
                        await publisher.publish([Outgoing(topic.name, b"k", b"v")])
                    except PublishError:
                        await asyncio.wait({watching := asyncio.create_task(publisher.watch())}, timeout=0.2)
                        if watching.done():
                            with pytest.raises(FencedError, match=topic.name):
                                watching.result()
                            ended.append(publisher)
                            break
                        watching.cancel()
        (left,) = (publisher for publisher in both if publisher not in ended)
        await left.publish([Outgoing(topic.name, b"k", b"still here")])

        assert all(publisher.initialisations <= 2 * IN_TURN for publisher in both)
        assert topic.read()[-1].value == b"still here"
        await other.close()


def leave_open(kafka: str, transactional_id: str, topic: str, *, timeout: int) -> None:
    """Have a process killed in the middle of a transaction, which the broker aborts after `timeout` seconds."""
    command = [sys.executable, "-c", OPEN, kafka, transactional_id, topic, str(1000 * timeout)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.kill()


async def test_readers_go_on_when_what_a_killed_writer_left_open_has_timed_out(
    kafka: str, new_topic: NewTopicName
) -> None:
    topic = new_topic()
    leave_open(kafka, f"{topic}-killed", topic, timeout=int(TRANSACTION_TIMEOUT))
    other = await started(kafka, f"{topic}-other")
    await other.publish([Outgoing(topic, b"k", b"behind it")])

    waited = await asyncio.to_thread(Reader(kafka, [topic]).until, b"behind it", 60)

    print(f"readers waited {waited:.1f} s")  # noqa: T201 - pytest shows it
    await other.close()
    assert [message.value() for message in read_committed(kafka, topic)] == [b"behind it"]


async def test_readers_go_on_at_once_when_the_killed_writer_is_back(kafka: str, new_topic: NewTopicName) -> None:
    topic = new_topic()
    leave_open(kafka, topic, topic, timeout=600)
    again = await started(kafka, topic)
    await again.publish([Outgoing(topic, b"k", b"behind it")])

    await asyncio.to_thread(Reader(kafka, [topic]).until, b"behind it", 60)
    await again.close()
