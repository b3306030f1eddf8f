"""Steps of long work on the event loop: it is never held for long, whoever has how much to do."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from time import perf_counter
from typing import TypeVar
from weakref import WeakKeyDictionary

from streams.core.steps import Steps

T = TypeVar("T")

SLICE = 0.005  # seconds of work, after which everything else on the loop has its turn
MANY = 64  # items between two looks at the clock

# One slice at a time, however many have long work: with a slice each in every turn the loop would wait for all of them.
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _gate() -> asyncio.Lock:
    return _gates.setdefault(asyncio.get_running_loop(), asyncio.Lock())


async def _turns() -> None:
    """Let everything else have its turn: a timer that is due needs one, and who waited for it the next."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def others_turn(until: float) -> float:
    """If it is later than `until`, let go of the loop. Returns until when to go on, as `perf_counter` counts."""
    if perf_counter() < until:
        return until
    async with _gate():
        await _turns()
    return perf_counter() + SLICE


async def sliced(steps: Steps[T]) -> T:
    """Do all steps, some at a time; return what comes of them."""
    gate = _gate()
    while True:
        async with gate:
            until = perf_counter() + SLICE
            try:
                while perf_counter() < until:
                    next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            await _turns()


async def in_slices(items: Iterable[T]) -> AsyncIterator[list[T]]:
    """Yield items, many at a time, and let go of the loop between. A few are no work."""
    left, until = iter(items), 0.0
    while taken := list(islice(left, MANY)):
        yield taken
        if len(taken) == MANY:
            until = await others_turn(until)
