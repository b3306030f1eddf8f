"""What is stored, in which order, and what comes back: on Faust's tables, in memory and in RocksDB."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from connectors.errors import PublishError, TimedOutError
from connectors.settings import KafkaSettings
from schemas.envelope import Outgoing
from streams.core.contract import Change, Flush
from streams.core.state_format import KEY, StateFormat, StateRefusedError
from streams.runtime import state as state_module
from streams.runtime.app import build_app
from streams.runtime.driver import store
from streams.runtime.errors import SuspendedError, WithdrawnError
from streams.runtime.lease import Lease
from streams.runtime.settings import WorkerSettings
from streams.runtime.state import AT_A_TIME, TableState
from tests.support.fakes import RecordingPublisher

CHANGELOG = "cxone-stage-windows-changelog"
STORES = ["memory", pytest.param("rocksdb", marks=pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb"))]


@pytest.fixture(params=STORES)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A table of an app that has partitions 0, 1 and 12."""
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store=request.param, data_dir=tmp_path))
    app.assignor._assignment.actives[CHANGELOG] = [0, 1, 12]
    return store.make_table(app, "windows")


class Steps(RecordingPublisher):
    """Tells what it was given at once from what it was given later, and what the table had at each moment."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._table = table
        self.steps: list[list[Outgoing]] = []
        self.tables: list[dict[bytes, bytes]] = []
        self.refuse_from: int | None = None

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        self.tables.append(dict(self._table.data.items()))
        self.steps.append(list(records))
        if len(self.steps) - 1 == self.refuse_from:
            raise PublishError("no")
        return await super().publish(records)


def form() -> StateFormat:
    return StateFormat(stage="stage", changelog=CHANGELOG, source="source", partitions=12)


OUTPUT = Outgoing("out", b"k", b"v")
FLUSHES = {
    0: Flush(state=[Change(b"a", b"1")], outputs=[OUTPUT], seal=[Change(b"", b"meta 0")]),
    12: Flush(state=[Change(b"a", b"12"), Change(b"b|c", b"2")], seal=[Change(b"", b"meta 12")]),
}


def lease() -> Lease:
    return Lease(10.0, clock=lambda: 0.0)


async def test_state_goes_out_before_outputs_and_outputs_before_the_seal(table: Any) -> None:
    publisher = Steps(table)

    await TableState(table, publisher, lease()).deliver(FLUSHES)

    state, outputs, seal = publisher.steps
    assert state == [
        Outgoing(CHANGELOG, b"0|1|a", b"1", (), 0),
        Outgoing(CHANGELOG, b"12|1|a", b"12", (), 12),
        Outgoing(CHANGELOG, b"12|1|b|c", b"2", (), 12),
    ]
    assert outputs == [OUTPUT]
    assert seal == [Outgoing(CHANGELOG, b"0|1|", b"meta 0", (), 0), Outgoing(CHANGELOG, b"12|1|", b"meta 12", (), 12)]


async def test_the_table_has_what_the_broker_has_and_not_before(table: Any) -> None:
    publisher = Steps(table)

    await TableState(table, publisher, lease()).deliver(FLUSHES)

    before_state, before_outputs, before_seal = publisher.tables
    assert before_state == {}
    assert before_outputs == before_seal == {b"0|1|a": b"1", b"12|1|a": b"12", b"12|1|b|c": b"2"}


@pytest.mark.parametrize(("refused", "kept"), [(0, 0), (1, 3), (2, 3)])
async def test_after_a_refusal_nothing_more_goes_out_and_the_table_has_what_the_broker_took(
    table: Any, refused: int, kept: int
) -> None:
    publisher = Steps(table)
    publisher.refuse_from = refused

    with pytest.raises(PublishError):
        await TableState(table, publisher, lease()).deliver(FLUSHES)

    assert len(publisher.steps) == refused + 1
    assert len(dict(table.data.items())) == kept


@pytest.mark.parametrize("step", [0, 1])
async def test_what_is_written_when_partitions_are_taken_over_anew_is_not_gone_on_with(table: Any, step: int) -> None:
    class TakenOver(Steps):
        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            offsets = await super().publish(records)
            if len(self.steps) == step + 1:
                state.load({0, 12}, 7)
            return offsets

    publisher = TakenOver(table)
    state = TableState(table, publisher, lease())

    with pytest.raises(WithdrawnError):
        await state.deliver(FLUSHES)

    assert len(publisher.steps) == step + 1
    assert len(dict(table.data.items())) == (0 if step == 0 else 3)


async def test_what_was_stored_is_loaded_by_partition_without_its_prefix(table: Any) -> None:
    state = TableState(table, RecordingPublisher(), lease())
    await state.deliver(FLUSHES)

    assert state.load({0, 1, 12}, 1) == {
        0: {b"a": b"1", b"": b"meta 0"},
        1: {},
        12: {b"a": b"12", b"b|c": b"2", b"": b"meta 12"},
    }
    assert REGISTRY.get_sample_value("cxone_state_keys", {"changelog": CHANGELOG}) == 5


async def test_a_deleted_value_is_a_tombstone_in_the_changelog_and_gone_from_the_table(table: Any) -> None:
    publisher = RecordingPublisher()
    state = TableState(table, publisher, lease())
    await state.deliver(FLUSHES)

    await state.deliver({12: Flush(seal=[Change(b"a", None), Change(b"never there", None)])})

    assert publisher.records[-1:] == [Outgoing(CHANGELOG, b"12|1|a", None, (), 12)]
    assert b"a" not in state.load({12}, 1)[12]


async def test_what_a_suspended_worker_had_queued_does_not_go_over_what_its_successor_wrote(table: Any) -> None:
    suspended = TableState(table, RecordingPublisher(), lease())
    await suspended.deliver({12: Flush(state=[Change(b"a", b"old"), Change(b"b", b"old")])})
    publisher = RecordingPublisher()
    successor = TableState(table, publisher, lease())
    successor.load({12}, 1)
    await successor.deliver({12: Flush(state=[Change(b"a", b"new")])})

    await suspended.deliver({12: Flush(state=[Change(b"a", b"older"), Change(b"c", b"older")])})

    assert publisher.records == [
        Outgoing(CHANGELOG, b"12|2|a", b"new", (), 12),
        Outgoing(CHANGELOG, b"12|1|a", None, (), 12),
    ]
    assert TableState(table, publisher, lease()).load({12}, 1) == {12: {b"a": b"new", b"b": b"old", b"c": b"older"}}


async def test_an_owner_that_had_written_nothing_yet_does_not_go_over_its_successor(table: Any) -> None:
    await TableState(table, RecordingPublisher(), lease()).deliver(FLUSHES)
    suspended, successor = (TableState(table, RecordingPublisher(), lease()) for _ in range(2))
    suspended.load({12}, 4)
    successor.load({12}, 5)
    await successor.deliver({12: Flush(state=[Change(b"a", b"new")])})

    await suspended.deliver({12: Flush(state=[Change(b"a", b"older")])})

    assert TableState(table, RecordingPublisher(), lease()).load({12}, 6)[12][b"a"] == b"new"


async def test_values_that_do_not_count_are_deleted_with_the_next_that_is_written(table: Any) -> None:
    await TableState(table, RecordingPublisher(), lease()).deliver(FLUSHES)
    successor = TableState(table, RecordingPublisher(), lease())
    successor.load({12}, 1)
    await successor.deliver({12: Flush(state=[Change(b"a", b"new")])})
    await TableState(table, RecordingPublisher(), lease()).deliver({12: Flush(state=[Change(b"a", b"older")])})
    publisher = RecordingPublisher()
    third = TableState(table, publisher, lease())
    third.load({12}, 1)

    await third.deliver({12: Flush(state=[Change(b"d", b"1")])})

    assert publisher.records == [
        Outgoing(CHANGELOG, b"12|3|d", b"1", (), 12),
        Outgoing(CHANGELOG, b"12|1|a", None, (), 12),
    ]
    assert {key for key in dict(table.data.items()) if key.startswith(b"12|") and key.endswith(b"|a")} == {b"12|2|a"}


async def test_a_partition_of_another_worker_is_not_loaded(table: Any) -> None:
    state = TableState(table, RecordingPublisher(), lease())
    await state.deliver(FLUSHES)

    assert state.load({0}, 1) == {0: {b"a": b"1", b"": b"meta 0"}}


async def test_memory_forgets_what_another_worker_will_change() -> None:
    # It comes back through recovery, which writes what is in the changelog and cannot know what was deleted meanwhile.
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings())
    table = store.make_table(app, "windows")
    state = TableState(table, RecordingPublisher(), lease())
    await state.deliver(FLUSHES)

    state.load({0}, 1)

    assert state.load({0, 12}, 1)[12] == {}


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
async def test_rocksdb_keeps_what_recovery_will_not_read_again(tmp_path: Path) -> None:
    # It remembers up to which offset of the changelog a partition is restored: values deleted here never come back.
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path))
    app.assignor._assignment.actives[CHANGELOG] = [0, 12]
    table = store.make_table(app, "windows")
    state = TableState(table, RecordingPublisher(), lease())
    await state.deliver(FLUSHES)

    state.load({0}, 1)

    assert table.data.persisted_offset(TP(CHANGELOG, 12)) is not None
    assert state.load({0, 12}, 1)[12] == {b"a": b"12", b"b|c": b"2", b"": b"meta 12"}


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
@pytest.mark.parametrize(("hours", "closed", "kept"), [(13, True, False), (11, True, True), (13, False, True)])
async def test_rocksdb_does_not_keep_what_may_have_missed_deletions(
    tmp_path: Path, hours: int, closed: bool, kept: bool
) -> None:
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path))
    table = store.make_table(app, "windows")
    await TableState(table, RecordingPublisher(), lease()).deliver(FLUSHES)
    folder = table.data.partition_path(12)
    if closed:
        del table.data._dbs[12]
    written = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))

    store.discard_stale(table.data, {12, 13}, written + hours * 3600)

    assert folder.exists() is kept


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
async def test_rocksdb_is_opened_beside_the_loop_where_nobody_else_has_it(tmp_path: Path) -> None:
    settings = KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path)
    apps = build_app("stage", "source", *settings), build_app("stage", "source", *settings)
    ours, another = (store.make_table(app, "windows").data for app in apps)

    await store.open_beside(ours, {0, 12})
    await store.open_beside(another, {1, 12})

    assert sorted(ours._dbs) == [0, 12]
    assert sorted(another._dbs) == [1]


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
async def test_rocksdb_opens_several_partitions_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path))
    data = store.make_table(app, "windows").data
    really, together = data._open_for_partition, Barrier(2)

    def open_for(partition: int) -> Any:
        together.wait(10)  # raises when no other is opened meanwhile: then the partition is left to Faust
        return really(partition)

    monkeypatch.setattr(data, "_open_for_partition", open_for)

    await store.open_beside(data, {0, 1, 2, 12})

    assert sorted(data._dbs) == [0, 1, 2, 12]


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
async def test_rocksdb_keeps_little_of_a_partition_in_memory_and_one_log_however_often_it_is_opened(
    tmp_path: Path,
) -> None:
    for _ in range(3):
        app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path))
        app.assignor._assignment.actives[CHANGELOG] = [0]
        data = store.make_table(app, "windows").data
        await store.open_beside(data, {0})
        for number in range(30):
            store.keep(data, [(0, b"0|1|%d" % number, bytes(2**20))])
        in_memory = int(data._dbs[0].get_property(b"rocksdb.cur-size-all-mem-tables"))
        logs = [file.name for file in data.partition_path(0).iterdir() if file.name.startswith("LOG")]
        assert dict(store.items(data))[b"0|1|0"] == bytes(2**20)
        data._dbs.clear()

        assert in_memory < 15 * 2**20
        assert logs == ["LOG"]


@pytest.mark.skipif(not find_spec("rocksdb"), reason="no rocksdb")
async def test_rocksdb_knows_up_to_which_offset_it_has_the_changelog(tmp_path: Path) -> None:
    app = build_app("stage", "source", KafkaSettings(), WorkerSettings(store="rocksdb", data_dir=tmp_path))
    table = store.make_table(app, "windows")

    class Offsets(RecordingPublisher):
        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            return {(CHANGELOG, 0): 41, (CHANGELOG, 12): 7} if records else {}

    await TableState(table, Offsets(), lease()).deliver(FLUSHES)

    assert table.data.persisted_offset(TP(CHANGELOG, 0)) == 41
    assert table.data.persisted_offset(TP(CHANGELOG, 12)) == 7


async def test_a_suspended_worker_writes_nothing_more(table: Any) -> None:
    clock = iter([0.0, 100.0])
    publisher = RecordingPublisher()

    with pytest.raises(SuspendedError):
        await TableState(table, publisher, Lease(10.0, clock=lambda: next(clock))).deliver(FLUSHES)

    assert publisher.records == []


async def test_an_outage_during_the_state_keeps_outputs_back_from_a_suspended_worker(table: Any) -> None:
    now = [0.0]

    class Slow(RecordingPublisher):
        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            now[0] += 100.0
            return await super().publish(records)

    publisher = Slow()
    with pytest.raises(SuspendedError):
        await TableState(table, publisher, Lease(10.0, clock=lambda: now[0])).deliver(FLUSHES)

    assert {record.topic for record in publisher.records} == {CHANGELOG}


async def test_what_is_given_up_with_the_lease_is_no_error_of_kafka_s(table: Any) -> None:
    now = [0.0]

    class GivenUp(RecordingPublisher):
        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            now[0] += 100.0
            raise PublishError("given up")

    with pytest.raises(SuspendedError):
        await TableState(table, GivenUp(), Lease(10.0, clock=lambda: now[0])).deliver(FLUSHES)


async def test_a_suspended_worker_that_is_cancelled_is_cancelled(table: Any) -> None:
    now = [0.0]

    class Away(RecordingPublisher):
        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            now[0] += 100.0
            await asyncio.Event().wait()
            return {}

    delivering = asyncio.create_task(TableState(table, Away(), Lease(10.0, clock=lambda: now[0])).deliver(FLUSHES))
    await asyncio.sleep(0)
    delivering.cancel()

    with pytest.raises(asyncio.CancelledError):
        await delivering


@pytest.mark.parametrize(
    "flush", [Flush(state=[Change(b"", None)]), Flush(outputs=[OUTPUT]), Flush(seal=[Change(b"", None)])]
)
def test_a_flush_with_anything_in_it_is_true(flush: Flush) -> None:
    assert flush
    assert not Flush()


async def test_the_form_is_written_before_anything_else_and_not_handed_to_the_core(table: Any) -> None:
    steps = Steps(table)
    state = TableState(table, steps, Lease(10), form)
    assert state.load({0}, 1) == {0: {}}
    await state.deliver({0: Flush(outputs=[OUTPUT])})
    assert steps.steps[0] == [], "an eager flush stores nothing"
    await state.deliver({0: Flush(state=[Change(b"a", b"1")], seal=[Change(b"", b"m")])})

    again = TableState(table, steps, Lease(10), form)

    assert [record.key for record in steps.steps[3]] == [b"0|1|" + KEY, b"0|1|a"]
    assert again.load({0}, 1) == {0: {b"a": b"1", b"": b"m"}}


async def test_state_of_another_form_is_refused(table: Any) -> None:
    state = TableState(table, Steps(table), Lease(10), form)
    state.load({0}, 1)
    await state.deliver({0: Flush(state=[Change(b"a", b"1")])})

    newer = TableState(table, Steps(table), Lease(10), lambda: replace(form(), partitions=24))

    with pytest.raises(StateRefusedError, match="24"):
        newer.load({0}, 2)


async def test_what_was_migrated_is_stored_with_the_next_flush_and_the_form_last(table: Any) -> None:
    state = TableState(table, Steps(table), Lease(10), form)
    state.load({0}, 1)
    await state.deliver({0: Flush(state=[Change(b"a", b"1")])})
    steps = Steps(table)
    newer = TableState(
        table,
        steps,
        Lease(10),
        lambda: replace(form(), version=2, migrations={1: lambda before: dict.fromkeys(before, b"new")}),
    )

    assert newer.load({0}, 2) == {0: {b"a": b"new"}}
    await newer.deliver({0: Flush(seal=[Change(b"", b"m")])})

    written = [(record.key, record.value) for record in steps.steps[0] if record.value is not None]
    assert [key for key, _ in written] == [b"0|3|a", b"0|3|" + KEY]
    assert written[0][1] == b"new"


async def test_rows_that_were_given_up_are_published_again_while_the_lease_is_held(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "AGAIN_AFTER", 0)
    now = 0.0
    lease = Lease(12.0, clock=lambda: now)

    class Slow(RecordingPublisher):
        tries = 0

        async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
            nonlocal now
            self.tries += 1
            now += 13.0
            if self.tries < 4:
                lease.confirm(lease.now())
                raise TimedOutError("no leader")
            return await super().publish(records)

    rows, changes = Slow(), RecordingPublisher()
    state = TableState(table, changes, lease, rows=rows)
    state.load([0], 1)

    with pytest.raises(SuspendedError):  # of the lease, which nobody confirmed after the fourth try
        await state.deliver({0: FLUSHES[0]})

    assert rows.records == [OUTPUT]
    assert len(changes.records) == 1, "the seal waits for the rows"


def test_loading_many_values_is_many_short_steps(table: Any) -> None:
    store.keep(table.data, [(0, b"0|1|%d" % number, b"1") for number in range(3 * AT_A_TIME)])
    store.keep(table.data, [(1, b"1|1|%d" % number, b"1") for number in range(3 * AT_A_TIME)])
    state = TableState(table, RecordingPublisher(), lease())

    steps = list(state.loading({0}, 7))

    assert len(steps) >= 12
    assert len(state.load({0}, 8)[0]) == 3 * AT_A_TIME
