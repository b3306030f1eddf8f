"""What the chunk transport delivers and commits, on a real Kafka that is made to leave gaps, move and forget."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producer_module
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.runtime.driver.consumer_thread import GroupCoordinator
from streams.runtime.driver.transport import CHUNK_RECORDS
from streams.runtime.ownership import State
from tests.conftest import NewTopicName
from tests.kafka.judges.hours import lag, read
from tests.kafka.services.recording import Recording, eventually
from tests.kafka.services.workers import until

NewRecording = Callable[[str], Recording]

COMPACT_AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
}


@pytest.fixture
def recording(kafka: str, tmp_path: Path) -> NewRecording:
    """Makes workers of one stage: `recording(topic)`."""
    stage = f"test-{uuid.uuid4().hex}"
    return lambda topic: Recording(stage, kafka, topic, tmp_path)


def producer(kafka: str, **config: Any) -> Any:
    return Producer({"bootstrap.servers": kafka, "log_level": 0, "acks": "all", **config})


def produce(to: Any, topic: str, values: range) -> None:
    for value in values:
        to.produce(topic, str(value).encode(), str(value).encode())
    assert to.flush(30) == 0


async def committed(worker: Recording, kafka: str) -> None:
    """Wait until the worker has committed up to the log's end."""
    await asyncio.to_thread(until, lambda: lag(kafka, worker.group, worker.topic) == 0, 30, "committed to the end")


def members_of(group: str, kafka: str) -> int:
    admin: Any = AdminClient({"bootstrap.servers": kafka})
    return len(admin.describe_consumer_groups([group])[group].result(30).members)


class NoText(str):
    """A header's name of any bytes: what clients that do not look at them send."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


def numbers(*ranges: range) -> list[bytes]:
    return [str(value).encode() for values in ranges for value in values]


def lost(topic: str) -> float:
    return REGISTRY.get_sample_value("cxone_records_lost_to_retention_total", {"topic": topic}) or 0.0


async def test_a_backlog_comes_in_bounded_chunks_and_a_trickle_in_small_ones(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic()
    to = producer(kafka)
    produce(to, topic, range(20_000))

    async with recording(topic).running() as worker:
        await committed(worker, kafka)
        produce(to, topic, range(20_000, 20_001))
        await committed(worker, kafka)

    assert worker.values() == numbers(range(20_001))
    sizes = [len(chunk.records) for life in worker.lives for chunk in life.chunks]
    assert 1000 < max(sizes) <= CHUNK_RECORDS
    assert sizes[-1] == 1


async def test_aborted_transactions_are_not_delivered_and_markers_are_committed_over(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic()
    to = producer(kafka, **{"transactional.id": topic})
    to.init_transactions(30)

    async with recording(topic).running() as worker:
        for start, end in ((0, to.commit_transaction), (10, to.abort_transaction), (20, to.commit_transaction)):
            to.begin_transaction()
            produce(to, topic, range(start, start + 10))
            end(30)
        await committed(worker, kafka)
        to.begin_transaction()
        produce(to, topic, range(30, 40))
        to.abort_transaction(30)  # now the log ends with what nobody is given
        await committed(worker, kafka)

    assert worker.values() == numbers(range(10), range(20, 30))


async def test_what_comes_after_an_open_transaction_waits_for_its_end(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic()
    open_ended = producer(kafka, **{"transactional.id": topic})
    open_ended.init_transactions(30)
    open_ended.begin_transaction()
    produce(open_ended, topic, range(10))
    produce(producer(kafka), topic, range(10, 20))

    async with recording(topic).running() as worker:
        await asyncio.sleep(1)
        assert worker.values() == []
        open_ended.commit_transaction(30)
        await committed(worker, kafka)

    assert worker.values() == numbers(range(20))


async def test_holes_left_by_compaction_are_committed_over(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic(config=COMPACT_AT_ONCE)
    to = producer(kafka)

    def compacted() -> list[Any]:
        produce(to, topic, range(7))
        records = read(kafka, topic)
        return records if records[-1].offset() > 2 * len(records) else []

    await asyncio.to_thread(until, compacted, 60, "compaction")
    async with recording(topic).running() as worker:
        await committed(worker, kafka)

    offsets = worker.offsets()
    assert offsets == sorted(set(offsets))
    assert [record.offset() for record in read(kafka, topic)] == offsets[-len(read(kafka, topic)) :]
    assert any(after - before > 1 for before, after in zip([-1, *offsets], offsets, strict=False))
    assert lost(topic) == 0


@pytest.mark.parametrize("left", [40, 0])
async def test_records_deleted_before_they_were_read_are_told_and_the_rest_goes_on(
    kafka: str, new_topic: NewTopicName, recording: NewRecording, left: int
) -> None:
    topic = new_topic()
    to = producer(kafka)
    produce(to, topic, range(10))
    async with recording(topic).running() as before:
        await committed(before, kafka)
    produce(to, topic, range(10, 100))
    admin: Any = AdminClient({"bootstrap.servers": kafka})
    for deleted in admin.delete_records([TopicPartition(topic, 0, 100 - left)]).values():
        deleted.result(30)

    with capture_logs() as logs:
        async with recording(topic).running() as worker:
            await eventually(lambda: lost(topic), lambda: f"told; logs: {logs}")
            produce(to, topic, range(100, 110))
            await committed(worker, kafka)

    assert worker.values() == numbers(range(100 - left, 110))
    assert lost(topic) == 90 - left
    assert [log["lost"] for log in logs if log["log_level"] == "error"] == [90 - left]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(
    kafka: str, new_topic: NewTopicName, recording: NewRecording, codec: str
) -> None:
    topic = new_topic()
    produce(producer(kafka, **{"compression.type": codec, "linger.ms": 50}), topic, range(500))

    async with recording(topic).running() as worker:
        await committed(worker, kafka)

    assert worker.values() == numbers(range(500))


async def test_a_header_whose_name_is_no_text_holds_nothing_up(
    kafka: str, new_topic: NewTopicName, recording: NewRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (message_accumulator, producer_module):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    topic = new_topic()
    async with AIOKafkaProducer(bootstrap_servers=kafka) as to:
        for value, headers in ((b"0", []), (b"1", [(NoText("?"), b"x")]), (b"2", [])):
            await to.send_and_wait(topic, value, headers=headers)

    async with recording(topic).running() as worker:
        await committed(worker, kafka)

    assert worker.values() == numbers(range(3))


async def test_a_seek_in_mid_stream_leaves_no_hole(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic()
    await asyncio.to_thread(
        produce, producer(kafka, **{"queue.buffering.max.messages": 400_000}), topic, range(300_000)
    )

    async with recording(topic).running() as worker:
        await eventually(worker.offsets)  # a seek before the first record makes nothing come again
        for _ in range(15):
            await asyncio.sleep(0.05)
            worker.app.consumer.stop_flow()
            await worker.app.consumer.perform_seek()
            worker.app.consumer.resume_flow()
        await committed(worker, kafka)

    offsets = worker.offsets()
    holes = [(before, after) for before, after in zip([-1, *offsets], offsets, strict=False) if after > before + 1]
    assert holes == []
    assert offsets[-1] == 299_999
    assert len(offsets) > 300_000, "no seek made anything come again: nothing was shown"


async def test_what_came_before_the_state_was_there_is_fetched_again_though_nothing_new_comes(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic(partitions=2)
    async with recording(topic).running() as worker:
        ownership = worker.app.stage.ownership
        ownership.state = State.ASSIGNED
        await asyncio.to_thread(produce, producer(kafka), topic, range(100))
        await eventually(lambda: worker.app.consumer.highwater(TP(topic, 0)))
        await asyncio.sleep(1)
        assert worker.values() == []

        ownership.recovered(ownership.generation)
        await committed(worker, kafka)

    assert set(worker.values()) == set(numbers(range(100)))
    assert len(worker.values()) == 100


async def test_what_is_fetched_while_the_flow_is_stopped_is_fetched_again(
    kafka: str, new_topic: NewTopicName, recording: NewRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = new_topic()
    async with recording(topic).running() as worker:
        consumer, stopped = worker.app.consumer, asyncio.Event()
        fetch = consumer._wait_next_records

        async def stop_behind_it(within: float) -> Any:
            records, active = await fetch(within)
            if any((records or {}).values()) and not stopped.is_set():
                consumer.stop_flow()
                stopped.set()
            return records, active

        monkeypatch.setattr(consumer, "_wait_next_records", stop_behind_it)
        await asyncio.to_thread(produce, producer(kafka), topic, range(10))
        await stopped.wait()
        await eventually(lambda: consumer._thread._positions(consumer._thread._consumer) == {TP(topic, 0): 0})
        consumer.resume_flow()
        await committed(worker, kafka)

    assert worker.values() == numbers(range(10))


async def test_workers_that_come_and_go_in_order_deliver_everything_once(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic(partitions=6)
    to = producer(kafka)
    workers = [recording(topic) for _ in range(3)]
    produced = 0

    async def some_time(joined: Recording | None = None) -> None:
        """Publish for a while, and until the worker that joined has had a share: on a busy machine that takes long."""
        nonlocal produced
        for number in range(1_000):
            if number >= 30 and (joined is None or len(joined.values()) > 1_000):
                break
            await asyncio.to_thread(produce, to, topic, range(produced, produced + 200))
            produced += 200
            await asyncio.sleep(0.02)

    async with workers[0].running():
        await some_time()
        async with workers[1].running():
            await some_time(workers[1])
            async with workers[2].running():
                await some_time(workers[2])
            await some_time()
        await some_time()
        await committed(workers[0], kafka)

    assert all(len(worker.values()) > 1000 for worker in workers)
    for life in (life for worker in workers for life in worker.lives if life.chunks):
        assert life.offsets == list(range(life.offsets[0], life.offsets[-1] + 1))
    assert sorted(int(value or b"") for worker in workers for value in worker.values()) == list(range(produced))


async def test_a_worker_stopped_in_a_rebalance_drains_before_its_partitions_go_and_leaves_its_group(
    kafka: str, new_topic: NewTopicName, recording: NewRecording
) -> None:
    topic = new_topic(partitions=2)
    leaving, joining = recording(topic), recording(topic)
    await leaving.app.start()
    await eventually(lambda: leaving.app.why_not_ready() is None, leaving.app.why_not_ready)
    leaving.settled.clear()
    stop, start = asyncio.create_task(leaving.app.stop()), asyncio.create_task(joining.app.start())

    try:
        await eventually(lambda: leaving.rejoins)
        await asyncio.sleep(1)
        assert not joining.app.recovered

        leaving.settled.set()
        await stop
        members = await asyncio.to_thread(members_of, leaving.group, kafka)
        await start
        await eventually(lambda: joining.app.partitions() == {0, 1}, joining.app.why_not_ready)
    finally:
        await joining.app.stop()

    assert members == 1


async def test_committed_offsets_are_asked_for_together(
    kafka: str, new_topic: NewTopicName, recording: NewRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = GroupCoordinator._do_fetch_commit_offsets

    async def noted(self: Any, partitions: Any) -> Any:
        asked.append(len(partitions))
        return await ask(self, partitions)

    monkeypatch.setattr(GroupCoordinator, "_do_fetch_commit_offsets", noted)
    topic = new_topic(partitions=84)
    async with recording(topic).running() as worker:
        await asyncio.to_thread(produce, producer(kafka), topic, range(100))
        await committed(worker, kafka)

    print("requests for committed offsets in one rebalance, and the partitions of each:", asked)  # noqa: T201
    assert len(asked) <= 3
    assert max(asked) == 84
