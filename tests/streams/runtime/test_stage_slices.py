"""A stage whose cores flush in steps, and are made in steps."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import ClassVar

import pytest

from schemas.envelope import Outgoing
from streams.core.contract import Chunk, Flush
from streams.core.steps import Steps
from streams.runtime import slices
from streams.runtime import stage as stage_module
from tests.support.echo_stage import GENERATION, Echo, Rig, cores, record
from tests.support.owning import own


class Stepping(Echo):
    """A core whose flush takes a turn of the loop for each step."""

    steps, flushing_now, failing = 20, False, False

    def fold(self, chunk: Chunk) -> int:
        assert not self.flushing_now, "folded in the middle of a flush"
        return super().fold(chunk)

    def flushing(self, now: float, *, seal: bool) -> Steps[Flush]:
        self.flushing_now = True
        for _ in range(self.steps):
            yield
            if self.failing:
                raise ValueError("no")
        self.flushing_now = False
        return self.flush(now, seal=seal)


def in_steps(partition: int, stored: Mapping[bytes, bytes]) -> Steps[Echo]:
    yield
    return Stepping(partition, stored)


@pytest.fixture(name="rig")
def _rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    async def a_step_a_turn(steps: Steps[Flush]) -> Flush:
        while True:
            try:
                next(steps)
            except StopIteration as done:
                flush: Flush = done.value
                return flush
            await asyncio.sleep(0)

    monkeypatch.setattr(stage_module, "sliced", a_step_a_turn)
    rig = Rig(apart=True)
    rig.stage._make = in_steps
    return rig


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_nothing_is_folded_into_a_core_in_the_middle_of_its_flush(rig: Rig) -> None:
    running = asyncio.create_task(rig.stage.run(rig.stream))
    first = rig.stream.put(record(b"a"))
    await turns(5)
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)
    assert cores(rig)[0].flushing_now  # type: ignore[attr-defined]

    later = rig.stream.put(record(b"b"), number=1)
    await flushing
    assert first.acknowledged
    assert not later.acknowledged
    await turns(5)
    await rig.stage.flush()

    assert later.acknowledged
    assert rig.values() == [b"a", b"b"]
    running.cancel()


async def test_other_partitions_fold_meanwhile(rig: Rig) -> None:
    running = asyncio.create_task(rig.stage.run(rig.stream))
    rig.stream.put(record(b"a"))
    await turns(5)
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)

    rig.stream.put(record(b"b"), partition=1)
    await turns(5)

    assert cores(rig)[0].flushing_now  # type: ignore[attr-defined]
    assert cores(rig)[1].folded == 1
    await flushing
    running.cancel()


async def test_what_was_flushed_of_partitions_that_went_meanwhile_is_not_delivered(rig: Rig) -> None:
    (event,) = await rig.fold((record(b"a"),))
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)

    rig.stage.start_over("lost")
    await flushing

    assert rig.delivered == []
    assert not event.acknowledged


async def test_a_flush_that_fails_ends_the_stage(rig: Rig) -> None:
    (event,) = await rig.fold((record(b"a"),))
    cores(rig)[0].failing = True  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match="no"):
        await rig.stage.flush()

    assert not rig.stage.ownership.may_write
    assert not event.acknowledged


async def test_a_drain_writes_what_is_in_the_middle_of_a_flush(rig: Rig) -> None:
    rig.stored = {0: {}}
    own(rig.stage, GENERATION)
    (event,) = await rig.fold((record(b"a"),))
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)

    await rig.stage.drain(5.0)
    await flushing

    assert event.acknowledged
    assert rig.values() == [b"a"]


async def test_what_is_taken_up_before_it_is_ours_is_used_then(rig: Rig) -> None:
    rig.stored = {0: {b"a": b"1"}}
    rig.stage.begin(GENERATION)

    await rig.stage.take_up(GENERATION)
    assert rig.stage.cores == {}
    rig.stage.resume(GENERATION)

    assert rig.loads == 1
    assert cores(rig)[0].stored == {b"a": b"1"}


@pytest.mark.parametrize("generation", [GENERATION, GENERATION + 1])
async def test_what_was_taken_up_for_partitions_that_went_is_not_used(rig: Rig, generation: int) -> None:
    rig.stored = {0: {b"a": b"1"}}
    rig.stage.begin(GENERATION)
    await rig.stage.take_up(GENERATION)

    rig.stored = {1: {}}
    rig.stage.begin(generation)
    rig.stage.resume(generation)

    assert list(rig.stage.cores) == [1]


async def test_partitions_that_go_while_they_are_taken_up_are_not_kept(rig: Rig) -> None:
    rig.stored = {0: {}, 1: {}}
    rig.stage.begin(GENERATION)
    taking = asyncio.create_task(rig.stage.take_up(GENERATION))
    await turns(1)

    rig.stage.begin(GENERATION + 1)
    await taking
    rig.stored = {7: {}}
    rig.stage.resume(GENERATION + 1)

    assert list(rig.stage.cores) == [7]


async def test_many_partitions_are_taken_up_in_slices_though_each_is_little_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = itertools.count()
    monkeypatch.setattr(slices, "perf_counter", lambda: next(looks) / 1000)
    rig = Rig(apart=True)
    rig.stored = {partition: {} for partition in range(100)}
    rig.stage.begin(GENERATION)

    taking = asyncio.create_task(rig.stage.take_up(GENERATION))
    await turns(10)
    assert not taking.done()
    await taking
    rig.stage.resume(GENERATION)

    assert len(rig.stage.cores) == 100


async def test_what_fails_while_it_is_taken_up_is_said_when_it_is_to_be_ours(rig: Rig) -> None:
    def refused(partition: int, stored: Mapping[bytes, bytes]) -> Echo:
        raise ValueError("state of another version")

    rig.stored, rig.stage._make = {0: {}}, refused
    rig.stage.begin(GENERATION)

    await rig.stage.take_up(GENERATION)
    with pytest.raises(ValueError, match="another version"):
        rig.stage.resume(GENERATION)


async def test_a_partition_of_which_nothing_was_folded_is_flushed_without_a_task_if_it_has_nothing_to_write(
    rig: Rig,
) -> None:
    await rig.fold((record(b"a"),))
    await rig.stage.flush()
    stepping: Stepping = cores(rig)[0]  # type: ignore[assignment]
    stepping.steps = 0

    await rig.stage.flush()
    assert not rig.stage._under_way
    assert rig.values() == [b"a"]

    stepping.outputs = [Outgoing("out", None, b"by time")]
    await rig.stage.flush()
    assert rig.values() == [b"a", b"by time"]


async def test_what_takes_a_partition_long_of_which_nothing_was_folded_is_done_in_slices_all_the_same(rig: Rig) -> None:
    await rig.fold((record(b"a"),))
    await rig.stage.flush()
    cores(rig)[0].outputs = [Outgoing("out", None, b"by time")]
    running = asyncio.create_task(rig.stage.run(rig.stream))
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)
    assert cores(rig)[0].flushing_now  # type: ignore[attr-defined]

    rig.stream.put(record(b"b"), number=1)
    await flushing
    await turns(5)
    await rig.stage.flush()

    assert rig.values() == [b"a", b"by time", b"b"]
    running.cancel()


class Looked(Echo):
    """A core that notes that it was looked at."""

    at: ClassVar[list[int]] = []

    def flush(self, now: float, *, seal: bool) -> Flush:
        self.at.append(self.partition)
        return super().flush(now, seal=seal)


async def test_many_partitions_are_looked_at_in_slices_and_no_more_of_them_when_they_have_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "SLICE", 0.0)
    rig, many, looked = Rig(apart=True), 10 * slices.MANY, Looked.at
    looked.clear()
    rig.stage.cores = {partition: Looked(partition, {}) for partition in range(many)}

    await rig.stage.flush()
    assert looked == list(range(many))
    looked.clear()
    flushing = asyncio.create_task(rig.stage.flush())
    await turns(5)
    assert 0 < len(looked) < many
    rig.stage.start_over("lost")
    seen = len(looked)
    await flushing

    assert len(looked) <= seen
