"""Long work on the loop: everything else has its turns meanwhile."""

import asyncio
from time import perf_counter

from streams.core.steps import Steps, finish
from streams.runtime.slices import SLICE, in_slices, sliced

STEP = SLICE / 10  # seconds


def spin(slices: int) -> Steps[str]:
    """Use the processor for so many slices at least: a step takes no less, however busy the machine is."""
    for _ in range(10 * slices):
        until = perf_counter() + STEP
        while perf_counter() < until:
            pass
        yield
    return "done"


async def turns(counted: list[int]) -> None:
    while True:
        counted[0] += 1
        await asyncio.sleep(0)


async def test_the_loop_has_many_turns_while_long_work_is_done() -> None:
    counted = [0]
    beside = asyncio.create_task(turns(counted))

    assert await sliced(spin(20)) == "done"

    beside.cancel()
    assert counted[0] >= 19


async def test_of_several_that_work_long_one_works_in_each_turn() -> None:
    working, most = list[int](), list[int]()

    def noted(number: int) -> Steps[None]:
        for _ in spin(5):
            working.append(number)
            yield

    async def watch() -> None:
        while True:
            most.append(len(set(working)))
            working.clear()
            await asyncio.sleep(0)

    beside = asyncio.create_task(watch())
    await asyncio.gather(*(sliced(noted(number)) for number in range(5)))

    beside.cancel()
    assert max(most) == 1


async def test_items_come_in_order_and_the_loop_has_turns_between() -> None:
    counted, found = [0], list[int]()
    beside = asyncio.create_task(turns(counted))

    async for some in in_slices(range(1_000)):
        found += some
        finish(spin(1))

    beside.cancel()
    assert found == list(range(1_000))
    assert counted[0] > 5


async def test_what_fails_in_a_step_is_raised_and_holds_up_no_other() -> None:
    def failing() -> Steps[None]:
        yield
        raise ValueError("no")

    found = await asyncio.gather(sliced(failing()), sliced(spin(1)), return_exceptions=True)

    assert [type(found[0]), found[1]] == [ValueError, "done"]
