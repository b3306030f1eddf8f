"""A recovery, and its end: Faust's own code, with a consumer that only writes down."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from connectors.settings import KafkaSettings
from streams.runtime.app import App, build_app
from streams.runtime.assembly import attach
from streams.runtime.driver.changelog_reading import ChangelogReading
from streams.runtime.driver.consumer_thread import Fetched
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from tests.support.echo_stage import Echo

GENERATION = 5
CHANGELOG = TP("cxone-echo-values-changelog", 0)


class Consumer:
    """Notes whether records would be delivered at each step of what Faust asks for."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.steps: list[tuple[str, bool]] = []

    def assignment(self) -> set[TP]:
        return {TP("source", 0)}

    def resume_partitions(self, tps: set[TP]) -> None:
        self.note("resume partitions")

    def resume_flow(self) -> None:
        self.note("resume flow")

    async def perform_seek(self) -> None:
        self.note("seek")

    def note(self, step: str) -> None:
        self.steps.append((step, self.app.recovered))


class Fetcher:
    async def maybe_start(self) -> None: ...


@pytest.fixture(name="app")
def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    app = build_app("echo", "source", KafkaSettings(), WorkerSettings(data_dir=tmp_path))

    async def deliver(_: Any) -> None: ...

    attach(app, Stage("echo", load=lambda: {0: {}}, core=Echo, deliver=deliver, interval=1.0))
    app.consumer = Consumer(app)
    app.consumer_generation_id = GENERATION
    app.stage.begin(GENERATION)

    monkeypatch.setattr(type(app), "_fetcher", Fetcher())
    resume = app.flow_control.resume

    def noted() -> None:
        app.consumer.note("empty the queue and resume")
        resume()

    monkeypatch.setattr(app.flow_control, "resume", noted)
    return app


@pytest.mark.parametrize("end", ["on_recovery_completed", "_resume_streams"])
async def test_nothing_is_delivered_before_the_queue_was_emptied_for_the_last_time(app: App, end: str) -> None:
    await getattr(app.tables.recovery, end)(GENERATION)

    assert ("empty the queue and resume", False) in app.consumer.steps
    assert not any(recovered for _, recovered in app.consumer.steps)
    assert app.recovered
    assert app.stage.cores


async def test_the_recovery_of_a_generation_that_has_passed_says_nothing_of_this_one(app: App) -> None:
    await app.tables.recovery.on_recovery_completed(GENERATION - 1)

    assert not app.recovered
    assert not app.stage.cores


async def test_a_recovery_that_ends_after_its_partitions_went_revives_nothing(app: App) -> None:
    ending, seek = asyncio.Event(), app.consumer.perform_seek

    async def slowly() -> None:
        await ending.wait()
        await seek()

    app.consumer.perform_seek = slowly
    recovering = asyncio.create_task(app.tables.recovery.on_recovery_completed(GENERATION))
    await asyncio.sleep(0)
    app.on_rebalance_start()
    await app.drain()
    ending.set()
    await recovering

    assert not app.recovered
    assert not app.stage.cores
    assert not app.stage.ownership.may_write


class Reading:
    """A consumer of a changelog, as far as it was sought, that notes where it is sought again."""

    def __init__(self) -> None:
        self.changelogs, self.sought = ChangelogReading(), list[dict[TP, int]]()

    async def seek_wait(self, positions: dict[TP, int]) -> None:
        self.sought.append(positions)


def fetched(first: int, last: int, start: int | None, *, end: int | None = None) -> Fetched:
    records = [SimpleNamespace(offset=offset, key=b"%d" % offset, value=b"v") for offset in range(first, last + 1)]
    return Fetched.of(records, start, last + 1 if end is None else end)


@pytest.fixture(name="recovery")
def _recovery(tmp_path: Path) -> Any:
    """A recovery of one changelog of ten records, of which nothing is read."""
    app = build_app("echo", "source", KafkaSettings(), WorkerSettings(data_dir=tmp_path))
    table = app.Table("values", key_type=bytes, value_type=bytes)
    recovery = app.tables.recovery
    recovery.add_active(table, CHANGELOG)
    recovery.active_offsets[CHANGELOG], recovery.active_highwaters[CHANGELOG] = -1, 9
    app.consumer = Reading()
    app.consumer.changelogs.begin(CHANGELOG, 0)
    recovery._set_recovery_started()
    return recovery


def restored(recovery: Any) -> set[int]:
    return {int(key) for key in recovery.tp_to_table[CHANGELOG].data}


async def test_what_a_fetch_brings_of_a_changelog_is_in_its_table_and_the_last_ends_the_recovery(recovery: Any) -> None:
    ending = asyncio.create_task(recovery.signal_recovery_end.wait())
    await asyncio.sleep(0)

    await recovery.take(CHANGELOG, fetched(0, 4, start=0))
    assert recovery.in_recovery
    assert restored(recovery) == set(range(5))
    await recovery.take(CHANGELOG, fetched(5, 9, start=5))
    await ending

    assert not recovery.in_recovery
    assert restored(recovery) == set(range(10))


async def test_a_record_without_value_takes_the_key_out(recovery: Any) -> None:
    await recovery.take(CHANGELOG, fetched(0, 4, start=0))

    batch = fetched(5, 5, start=5)
    batch[0].key, batch[0].value = b"3", None
    await recovery.take(CHANGELOG, batch)

    assert restored(recovery) == {0, 1, 2, 4}


async def test_a_recovery_that_nobody_waits_for_yet_is_told_of_its_end_later(recovery: Any) -> None:
    await recovery.take(CHANGELOG, fetched(0, 9, start=0))
    assert recovery.in_recovery

    async with asyncio.timeout(5):
        await recovery.signal_recovery_end.wait()

    assert not recovery.in_recovery


async def test_the_next_recovery_is_over_only_when_it_has_read_what_is_new(recovery: Any) -> None:
    await recovery.take(CHANGELOG, fetched(0, 9, start=0))
    await recovery.signal_recovery_end.wait()

    recovery.active_highwaters[CHANGELOG] = 11
    recovery._set_recovery_started()
    ending = asyncio.create_task(recovery.signal_recovery_end.wait())
    await asyncio.sleep(0)
    assert not ending.done()

    await recovery.take(CHANGELOG, fetched(10, 11, start=10))
    await ending
    assert restored(recovery) == set(range(12))


@pytest.mark.parametrize("start", [None, 6])
async def test_a_changelog_gets_no_hole_from_a_fetch_of_before(recovery: Any, start: int | None) -> None:
    await recovery.take(CHANGELOG, fetched(0, 2, start=0))

    await recovery.take(CHANGELOG, fetched(6, 9, start=start))

    assert restored(recovery) == {0, 1, 2}
    assert recovery.app.consumer.sought == [{CHANGELOG: 3}]
    await recovery.take(CHANGELOG, fetched(3, 9, start=3))
    assert restored(recovery) == set(range(10))


async def test_what_comes_a_second_time_does_not_go_over_what_is_newer(recovery: Any) -> None:
    newer = fetched(5, 5, start=5)
    newer[0].key, newer[0].value = b"2", b"newer"
    await recovery.take(CHANGELOG, fetched(0, 4, start=0))
    await recovery.take(CHANGELOG, newer)

    await recovery.take(CHANGELOG, fetched(0, 4, start=0))

    assert recovery.tp_to_table[CHANGELOG].data[b"2"] == b"newer"


async def test_nothing_is_taken_outside_of_a_recovery_or_of_partitions_that_are_not_ours(recovery: Any) -> None:
    await recovery.take(TP(CHANGELOG.topic, 1), fetched(0, 9, start=0))
    recovery._set_recovery_ended()
    await recovery.take(CHANGELOG, fetched(0, 9, start=0))

    assert restored(recovery) == set()


async def test_of_a_partition_that_stays_only_what_others_wrote_is_read(recovery: Any) -> None:
    ending = asyncio.create_task(recovery.signal_recovery_end.wait())
    await asyncio.sleep(0)
    await recovery.take(CHANGELOG, fetched(0, 9, start=0))
    await ending

    recovery.kept(CHANGELOG, 14)
    recovery.kept(TP(CHANGELOG.topic, 1), 14)
    recovery.active_highwaters[CHANGELOG] = 14

    assert not recovery.need_recovery()
    assert recovery.active_offsets[CHANGELOG] == 14
    assert TP(CHANGELOG.topic, 1) not in recovery.active_offsets
