"""Calls under way: halves of what is refused, and what happens when partitions go."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from schemas.dead_letters import DEAD_SOURCE
from streams.runtime.errors import SuspendedError, WithdrawnError
from streams.runtime.refusal_limit import RefusalLimit
from streams.stages.crm.batches import Batch, Batches, Policy
from streams.stages.crm.calls import BatchCalls
from tests.streams.stages.crm.messages import NINE, chunk, decode, record
from tests.support.virtual_time import run

NOW = NINE / 1000


class Rig:
    """Calls whose batches are posted by `post`, and what they ask for."""

    def __init__(self, post: Callable[[Batch], Awaitable[str | None]], refusals: float = 1.0) -> None:
        self.answered = self.rejoined = 0
        self.crashes: list[BaseException] = []
        self.calls = BatchCalls(
            post,
            refusals=RefusalLimit(refusals, "test"),
            answered=self._answered,
            rejoin=self._rejoin,
            crash=self._crash,
            patience=5.0,
            now=lambda: NOW + 2.5,
        )

    def _answered(self) -> None:
        self.answered += 1

    def _rejoin(self) -> None:
        self.rejoined += 1

    async def _crash(self, failure: BaseException) -> None:
        self.crashes.append(failure)


def due(count: int) -> tuple[Batches, Batch]:
    """Return a partition whose batch of `count` messages is due."""
    core = Batches(3, {}, policy=Policy(size=count, wait=30.0), decode=decode)
    core.fold(chunk(*(record(i) for i in range(count))))
    batch = core.flush(NOW, seal=True).batch
    assert batch is not None
    return core, batch


class Picky:
    """Refuses batches with certain conversations."""

    def __init__(self, *bad: str) -> None:
        self._bad = set(bad)
        self.posted: list[tuple[str, list[str]]] = []

    async def __call__(self, batch: Batch) -> str | None:
        ids = [str(row["external_id"]) for row in batch.rows]
        self.posted.append((batch.key, ids))
        return "422 bad" if self._bad.intersection(ids) else None


async def test_a_batch_that_is_taken_is_settled() -> None:
    crm = Picky()
    rig, (core, batch) = Rig(crm), due(2)
    before = REGISTRY.get_sample_value("cxone_crm_seconds_sum") or 0.0

    rig.calls.start(core, batch)
    await rig.calls.settle()

    assert crm.posted == [(batch.key, ["c-0", "c-1"])]
    assert rig.answered == 1
    assert (REGISTRY.get_sample_value("cxone_crm_seconds_sum") or 0.0) - before == pytest.approx(2.5)
    assert core.flush(NOW, seal=True).reached is None


async def test_of_a_refused_batch_the_bad_ones_alone_are_dead_letters_and_order_is_kept() -> None:
    crm = Picky("c-1", "c-4")
    rig, (core, batch) = Rig(crm), due(5)

    rig.calls.start(core, batch)
    await rig.calls.settle()

    flush = core.flush(NOW, seal=True)
    assert [dict(letter.headers)[DEAD_SOURCE][-2:] for letter in flush.outputs] == [b":1", b":4"]
    taken = [name for _, ids in crm.posted if not {"c-1", "c-4"}.intersection(ids) for name in ids]
    assert taken == ["c-0", "c-2", "c-3"]
    assert len({key for key, _ in crm.posted}) == len(crm.posted), "each part has a key of its own"


async def test_when_most_is_refused_the_worker_stops() -> None:
    rig, (core, batch) = Rig(Picky(*(f"c-{i}" for i in range(1000))), refusals=0.5), due(1000)

    rig.calls.start(core, batch)
    await rig.calls.settle()

    (crash,) = rig.crashes
    assert "all of the first 1000 records were refused" in str(crash)
    assert rig.answered == 0


@pytest.mark.parametrize(("failure", "rejoined"), [(WithdrawnError(), 0), (SuspendedError("away"), 1)])
async def test_a_batch_of_partitions_that_are_gone_is_not_settled(failure: Exception, rejoined: int) -> None:
    async def post(batch: Batch) -> str | None:
        raise failure

    rig, (core, batch) = Rig(post), due(1)

    rig.calls.start(core, batch)
    await rig.calls.settle()

    assert (rig.answered, rig.rejoined, rig.crashes) == (0, rejoined, [])


async def test_a_mistake_of_ours_ends_the_process() -> None:
    async def post(batch: Batch) -> str | None:
        raise RuntimeError("mistake")

    rig, (core, batch) = Rig(post), due(1)

    rig.calls.start(core, batch)
    await rig.calls.settle()

    assert [str(crash) for crash in rig.crashes] == ["mistake"]


def test_partitions_that_go_wait_for_calls_but_not_for_ever() -> None:
    async def main() -> None:
        async def post(batch: Batch) -> str | None:
            await asyncio.sleep(4.0 if len(batch.messages) == 1 else 60.0)
            return None

        rig, quick, slow = Rig(post), due(1), due(2)
        rig.calls.start(*quick)
        rig.calls.start(*slow)
        await rig.calls.settle()

        assert asyncio.get_running_loop().time() == 5.0
        assert rig.answered == 1
        await asyncio.sleep(100)
        assert rig.answered == 1

    run(main())


async def test_nothing_starts_between_the_end_of_partitions_and_the_next() -> None:
    crm = Picky()
    rig, (core, batch) = Rig(crm), due(1)

    await rig.calls.settle()
    rig.calls.start(core, batch)
    await asyncio.sleep(0)
    assert crm.posted == []

    rig.calls.begin()
    rig.calls.start(core, batch)
    await rig.calls.settle()
    assert len(crm.posted) == 1


async def test_what_is_left_of_earlier_partitions_is_dropped() -> None:
    forever = asyncio.Event()

    async def post(batch: Batch) -> str | None:
        await forever.wait()
        return None

    rig, (core, batch) = Rig(post), due(1)
    rig.calls.start(core, batch)
    await asyncio.sleep(0)

    rig.calls.begin()
    forever.set()
    await rig.calls.settle()

    assert rig.answered == 0
