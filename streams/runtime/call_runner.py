"""Makes the calls of a worker's partitions, a bounded number at a time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Generic, TypeVar

from streams.core.calls.job import Job, Outcome
from streams.core.calls.ordered import Calls
from streams.core.contract import Flush
from streams.runtime.errors import SuspendedError, WithdrawnError
from streams.runtime.lease import Lease
from streams.runtime.stage import Stage

M = TypeVar("M")

LONGEST_SLEEP = 1.0  # seconds
UNWRITTEN = 1  # more would let a kill repeat more; a Kafka that takes 100 ms for a write then slows 200 calls a second


class Runner(Generic[M]):
    """Calls what the stage's cores ask for, and wakes the stage when there is something to write down.

    Args:
        stage: whose cores are `Calls`.
        call: makes one call. Raises WithdrawnError when it was not made and is the next owner's.
        write: writes flushes, as the stage's `deliver` has to.
        limit: calls under way at a time. `UNWRITTEN` times as many may be answered and not written yet: beyond them
            nobody is called, so that a kill repeats no more, however slow Kafka is.
        now: seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        stage: Stage[Flush],
        call: Callable[[Job[M]], Awaitable[Outcome]],
        *,
        write: Callable[[Mapping[int, Flush]], Awaitable[object]],
        limit: int,
        lease: Lease,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stage, self._call, self._write = stage, call, write
        self._limit, self._lease, self._now = limit, lease, now
        self._under_way: set[asyncio.Task[None]] = set()
        self._settled: object = None  # the cores that may start nothing more
        self._more = asyncio.Event()
        self._turn = count()
        self._failure: BaseException | None = None

    def wake(self) -> None:
        """Look for calls to make: something was folded."""
        self._more.set()

    async def run(self) -> None:
        """Make calls, for ever. Raises what a call raised that is no outcome, or taking its outcome."""
        while True:
            due = [] if self._is_settled else [core.next_due for core in self.cores() if core.next_due is not None]
            sleep = min([LONGEST_SLEEP, *(at / 1000 - self._now() for at in due)])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(sleep, 0)):
                    await self._more.wait()
            self._more.clear()
            if self._failure is not None:
                raise self._failure
            self._start()

    async def deliver(self, flushes: Mapping[int, Flush]) -> None:
        """Write flushes that were just taken: what was answered before is remembered then."""
        answered = [(core, core.answered) for core in self.cores()]
        await self._write(flushes)
        for core, number in answered:
            core.answered -= number
        self._more.set()

    async def settle(self) -> None:
        """Start nothing more for these partitions, and wait for the calls under way."""
        self._settled = self._stage.cores
        if self._under_way:
            await asyncio.wait(self._under_way)

    def cores(self) -> list[Calls[M]]:
        """Return the cores of the partitions that this worker has now."""
        return [core for core in self._stage.cores.values() if isinstance(core, Calls)]

    @property
    def _is_settled(self) -> bool:
        return self._stage.cores is self._settled

    def _start(self) -> None:
        if self._is_settled:
            return
        cores, now = self.cores(), int(self._now() * 1000)
        first = next(self._turn) % max(len(cores), 1)  # so that no partition is always the last
        for core in (*cores[first:], *cores[:first]):
            for job in core.start(now, self._room(cores)):
                task = asyncio.create_task(self._make(core, job))
                self._under_way.add(task)
                task.add_done_callback(self._ended)
        if any(core.unwritten for core in cores):
            self._stage.wake()

    def _room(self, cores: list[Calls[M]]) -> int:
        under_way = len(self._under_way)
        answered = sum(core.answered for core in cores)
        return min(self._limit, (1 + UNWRITTEN) * self._limit - answered) - under_way

    async def _make(self, core: Calls[M], job: Job[M]) -> None:
        try:
            self._lease.check()
            outcome = await self._call(job)
        except WithdrawnError:
            core.release(job)
        except SuspendedError as suspended:
            self._stage.start_over(str(suspended))
        else:
            core.finish(job, outcome, int(self._now() * 1000))
            self._stage.wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            self._failure = task.exception() or self._failure
        self._more.set()
