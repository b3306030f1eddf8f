"""The stage as it is put together: its agent on a channel, its state in a table, and a CRM that is a fake."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from faust.types import TP

from connectors.errors import Misconfigured, Unavailable
from connectors.settings import CrmSettings, KafkaSettings
from connectors.sinks.crm import Row
from schemas.envelope import Consumed
from schemas.topics import DEAD_LETTERS, GUEST_ADMITTED
from streams.runtime.app import App, build_app
from streams.runtime.lease import Lease
from streams.runtime.settings import WorkerSettings
from streams.stages.crm.app import assemble
from streams.stages.crm.batches import STAGE
from streams.stages.crm.declaration import DECLARATION
from tests.streams.stages.crm.messages import chunk, decode, record
from tests.support.fakes import RecordingCrm, RecordingPublisher
from tests.support.owning import own

PARTITIONS = range(6)


class Consumer:
    """The consumer of an app, as far as it is asked."""

    def __init__(self) -> None:
        self.polled_at = monotonic()
        self.rejoined = 0
        self._unacked_messages: set[Any] = set()  # Faust's stream puts what it hands out here

    def assignment(self) -> set[TP]:
        return {TP(GUEST_ADMITTED.name, partition) for partition in PARTITIONS}

    def rejoin(self) -> None:
        self.rejoined += 1


class Slow(RecordingCrm):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.under_way = self.most = 0

    async def post(self, rows: Sequence[Row], key: str) -> str | None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            self.calls.append((key, list(rows)))
            await self.open.wait()
            return await super().post(rows, key)
        finally:
            self.under_way -= 1


@dataclass
class Rig:
    """A worker's stage on channels."""

    folder: Path
    crm: RecordingCrm
    settings: CrmSettings
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)

    def __post_init__(self) -> None:
        worker = WorkerSettings(data_dir=self.folder)
        self.app: App = build_app(STAGE, GUEST_ADMITTED.name, KafkaSettings(), worker)
        self.clock = 0.0
        self.app.lease = Lease(12.0, clock=lambda: self.clock)
        self.agent = assemble(self.app, self.publisher, self.crm, decode=decode, settings=self.settings, worker=worker)
        self.app.consumer = Consumer()
        self.app.assignor._assignment.actives[DECLARATION.changelogs[0].name] = list(PARTITIONS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rig"]:
        async with self.agent.test_context() as channel:
            self.channel = channel
            yield self

    async def put(self, *records: Consumed, partition: int = 3) -> Any:
        return (await self.channel.put(chunk(*records, partition=partition))).message

    async def flush(self) -> None:
        """Flush, and let the calls that follow go as far as they can."""
        await self.app.stage.flush()
        for _ in range(50):
            await asyncio.sleep(0)

    def recovered(self, publisher: RecordingPublisher) -> "Rig":
        """Fill the table with what `publisher` wrote, as recovery does."""
        table = self.app.tables["batches"].data
        for each in publisher.records:
            if each.topic == DECLARATION.changelogs[0].name:
                table[each.key] = each.value
        return self

    def dead(self) -> list[bytes | None]:
        return [each.value for each in self.publisher.records if each.topic == DEAD_LETTERS.name]


def settings(**given: Any) -> CrmSettings:
    return CrmSettings.model_validate({"url": "http://localhost:1", "batch": 2, "wait": 1e9, **given})


def ids(crm: RecordingCrm) -> list[str | None]:
    return [row["external_id"] for row in crm.taken]


async def test_messages_go_out_in_batches_and_what_waits_is_not_acknowledged(tmp_path: Path) -> None:
    async with Rig(tmp_path, RecordingCrm(), settings()).running() as rig:
        first, second = await rig.put(record(0), record(1)), await rig.put(record(2))
        await rig.flush()
        assert ids(rig.crm) == ["c-0", "c-1"]
        assert not first.acked, "its settling is not written yet"

        await rig.flush()

        assert first.acked
        assert not second.acked
        await rig.put(record(3))
        await rig.flush()
        await rig.flush()
        assert second.acked
        assert ids(rig.crm) == ["c-0", "c-1", "c-2", "c-3"]


async def test_the_cut_is_stored_before_the_call(tmp_path: Path) -> None:
    crm = Slow()
    async with Rig(tmp_path, crm, settings()).running() as rig:
        await rig.put(record(0), record(1))
        rig.publisher.refuse = "Kafka says no"
        with pytest.raises(Exception, match="Kafka says no"):
            await rig.flush()

        assert crm.calls == []


async def test_a_call_under_way_at_a_kill_is_repeated_as_it_was(tmp_path: Path) -> None:
    killed = Slow()
    async with Rig(tmp_path, killed, settings()).running() as rig:
        await rig.put(record(0), record(1))
        await rig.flush()
        assert len(killed.calls) == 1

    crm = RecordingCrm()
    async with Rig(tmp_path, crm, settings(batch=1)).recovered(rig.publisher).running() as again:
        await again.put(record(0), record(1), record(2))
        await again.flush()
        assert crm.calls == killed.calls
        await again.flush()

        assert ids(crm) == ["c-0", "c-1", "c-2"]


async def test_a_bad_message_alone_is_a_dead_letter(tmp_path: Path) -> None:
    crm = RecordingCrm()
    crm.bad = {"c-1"}
    async with Rig(tmp_path, crm, settings(batch=4)).running() as rig:
        records = [record(i) for i in range(4)]
        message = await rig.put(*records)
        await rig.flush()
        await rig.flush()

        assert ids(crm) == ["c-0", "c-2", "c-3"]
        assert rig.dead() == [records[1].value]
        assert message.acked


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("no route"), "unavailable: no route"), (Misconfigured("Check X."), "misconfigured: Check X.")],
)
async def test_while_the_crm_is_away_readiness_says_why_and_partitions_go_at_once(
    tmp_path: Path, error: Unavailable | Misconfigured, reason: str
) -> None:
    crm = RecordingCrm()
    crm.away = error
    async with Rig(tmp_path, crm, settings()).running() as rig:
        message = await rig.put(record(0), record(1))
        await rig.flush()
        await rig.flush()
        assert rig.app.stage.blocked == reason

        await rig.app.stage.drain(10.0)

        assert rig.app.stage.blocked is None
        assert not message.acked
        crm.away = None
        own(rig.app.stage)
        await rig.put(record(0), record(1))
        await rig.flush()
        assert len(crm.calls) > 1
        assert all(call == crm.calls[0] for call in crm.calls), "the next owner repeats it as it was"
        assert ids(crm) == ["c-0", "c-1"]


async def test_a_call_under_way_when_partitions_go_is_waited_for_and_settled(tmp_path: Path) -> None:
    crm = Slow()
    async with Rig(tmp_path, crm, settings()).running() as rig:
        message = await rig.put(record(0), record(1), record(2), record(3))
        await rig.flush()
        draining = asyncio.create_task(rig.app.stage.drain(10.0))
        await asyncio.sleep(0)
        crm.open.set()
        await draining

        assert ids(crm) == ["c-0", "c-1"], "the next batch is the next owner's"
        assert not message.acked
        own(rig.app.stage)
        await rig.put(record(0), record(1), record(2), record(3))
        await rig.flush()
        assert ids(crm) == ["c-0", "c-1", "c-2", "c-3"]


async def test_partitions_go_side_by_side_so_many_at_a_time(tmp_path: Path) -> None:
    crm = Slow()
    async with Rig(tmp_path, crm, settings(concurrency=4)).running() as rig:
        for partition in PARTITIONS:
            await rig.put(*(record(i, source=(partition, i)) for i in range(2)), partition=partition)
        await rig.flush()
        assert crm.under_way == 4

        crm.open.set()
        await rig.flush()

        assert crm.most == 4
        assert len(crm.taken) == 2 * len(PARTITIONS)


async def test_those_that_wait_for_their_turn_do_not_call_when_partitions_go(tmp_path: Path) -> None:
    crm = Slow()
    async with Rig(tmp_path, crm, settings(concurrency=1)).running() as rig:
        for partition in PARTITIONS:
            await rig.put(*(record(i, source=(partition, i)) for i in range(2)), partition=partition)
        await rig.flush()
        draining = asyncio.create_task(rig.app.stage.drain(10.0))
        await asyncio.sleep(0)
        crm.open.set()
        await draining

        assert len(crm.taken) == 2


async def test_what_one_partition_has_settled_is_written_although_another_is_blocked(tmp_path: Path) -> None:
    class Half(RecordingCrm):
        async def post(self, rows: Sequence[Row], key: str) -> str | None:
            if rows[0]["external_id"] == "c-8":
                raise Unavailable("choked")
            return await super().post(rows, key)

    async with Rig(tmp_path, Half(), settings()).running() as rig:
        blocked = await rig.put(record(8), record(9), partition=1)
        settled = await rig.put(record(0), record(1), partition=3)
        await rig.flush()
        assert rig.app.stage.blocked == "unavailable: choked"

        await rig.app.stage.drain(10.0)

        assert settled.acked
        assert not blocked.acked


async def test_a_worker_that_was_suspended_calls_nobody_and_asks_for_partitions_anew(tmp_path: Path) -> None:
    crm = Slow()
    async with Rig(tmp_path, crm, settings(concurrency=1)).running() as rig:
        for partition in (1, 3):
            await rig.put(*(record(i, source=(partition, i)) for i in range(2)), partition=partition)
        await rig.flush()
        rig.clock = 13.0
        crm.open.set()
        for _ in range(50):
            await asyncio.sleep(0)

        assert len(crm.taken) == 2
        assert rig.app.consumer.rejoined == 1
