"""Calls of a stage: how many at a time, when, and what happens when partitions go. Time passes by itself."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from string import ascii_letters
from typing import Any

import pytest

from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import Calls
from streams.core.contract import Chunk, Flush
from streams.runtime.call_runner import UNWRITTEN, Runner
from streams.runtime.errors import WithdrawnError
from streams.runtime.lease import Lease
from streams.runtime.stage import Stage
from tests.support.echo_stage import GENERATION, Event, Message, Stream
from tests.support.owning import own
from tests.support.virtual_time import run

TIERS = Tiers.growing(("retry.1", "retry.2"), base=2, cap=4, retries=2)


class Rig:
    """A stage of calls, whose callee answers after `latency` seconds with `outcome(job)`."""

    def __init__(self, latency: float = 1.0, limit: int = 2, hold: int = 1000) -> None:
        self.latency, self.writing = latency, 0.0
        self.outcome: Callable[[Job[bytes]], Outcome] = lambda job: Done((Outgoing("results", None, job.message),))
        self.called: list[tuple[float, bytes]] = []
        self.under_way = self.most_under_way = 0
        self.published: list[Outgoing] = []
        self.stream = Stream()
        self.offsets = 0
        self.stage: Stage[Flush] = Stage(
            "calls",
            load=lambda: {0: {}, 1: {}},
            core=self.core,
            deliver=lambda flushes: self.runner.deliver(flushes),  # noqa: PLW0108 - it is made below
            interval=0,
            hold=hold,
            folded=lambda: self.runner.wake(),  # noqa: PLW0108
            settle=lambda: self.runner.settle(),  # noqa: PLW0108
            rejoin=self.rejoin,
            now=self.now,
        )
        self.lease_lost, self.rejoined = False, 0
        lease = Lease(15, lambda: 1e9 if self.lease_lost else 0.0)
        self.runner = Runner(self.stage, self.call, write=self.write, limit=limit, lease=lease, now=self.now)

    def rejoin(self) -> None:
        self.rejoined += 1

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def core(self, partition: int, stored: Mapping[bytes, bytes]) -> Calls[bytes]:
        return Calls(
            partition, stored, stage="calls", topic="asked", tiers=TIERS, read=lambda value: (value.decode()[0], value)
        )

    async def write(self, flushes: Mapping[int, Flush]) -> None:
        await asyncio.sleep(self.writing)
        self.published += [output for flush in flushes.values() for output in flush.outputs]

    async def call(self, job: Job[bytes]) -> Outcome:
        self.called.append((round(self.now(), 3), job.message))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.latency)
        self.under_way -= 1
        return self.outcome(job)

    def ask(self, *values: str) -> Event:
        records = []
        for value in values:
            source = ((SOURCE_POSITION, b"0:%d" % self.offsets),)
            records.append(Consumed(self.offsets, value.encode(), None, source))
            self.offsets += 1
        return self.put(Chunk("asked", 0, records))

    def put(self, chunk: Chunk) -> Event:
        event = Event(chunk, Message(chunk))
        self.stream._events.put_nowait(event)
        return event


def running(rig: Rig, body: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        tasks = [
            asyncio.create_task(work)
            for work in (rig.stage.run(rig.stream), rig.stage.keep_flushing(), rig.runner.run())
        ]
        await body(rig)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(main())


def test_as_many_calls_as_allowed_are_under_way_and_their_chunk_is_acknowledged_after_the_last() -> None:
    async def body(rig: Rig) -> None:
        event = rig.ask("a", "b", "c", "d", "e")
        await asyncio.sleep(2.5)
        assert [at for at, _ in rig.called] == [0, 0, 1, 1, 2]
        assert not event.acknowledged
        await asyncio.sleep(1)

        assert event.acknowledged
        assert rig.most_under_way == 2
        assert sorted(record.value or b"" for record in rig.published) == [b"a", b"b", b"c", b"d", b"e"]

    running(Rig(), body)


def test_a_failed_call_is_made_again_when_it_is_due_and_holds_up_nobody() -> None:
    async def body(rig: Rig) -> None:
        rig.outcome = lambda job: Failed("500") if job.attempt == 1 and job.message == b"a" else Done()
        rig.ask("a", "b")
        await asyncio.sleep(1.5)
        (waiting,) = rig.published
        rig.put(Chunk(waiting.topic, 0, [Consumed(0, waiting.value, waiting.key, waiting.headers)]))
        rig.ask("c")
        await asyncio.sleep(5)

        assert rig.called == [(0, b"a"), (0, b"b"), (1.5, b"c"), (3, b"a")]

    running(Rig(), body)


def test_draining_waits_for_calls_under_way_and_starts_no_more() -> None:
    async def body(rig: Rig) -> None:
        event = rig.ask("a", "b", "c", "d")
        await asyncio.sleep(0.5)

        await rig.stage.drain(deadline=5)

        assert rig.now() == 1.0
        assert [value for _, value in rig.called] == [b"a", b"b"]
        assert [record.value for record in rig.published] == [b"a", b"b"]
        assert not event.acknowledged, "c and d are the next owner's"

    running(Rig(), body)


def test_calls_go_on_with_the_partitions_that_come_after_a_drain() -> None:
    async def body(rig: Rig) -> None:
        await asyncio.sleep(0)
        await rig.stage.drain(deadline=5)
        own(rig.stage, GENERATION)
        rig.ask("a")
        await asyncio.sleep(2)

        assert [value for _, value in rig.called] == [b"a"]

    running(Rig(), body)


def test_a_call_that_was_withdrawn_is_not_settled() -> None:
    async def body(rig: Rig) -> None:
        def withdraw(_: Job[bytes]) -> Outcome:
            raise WithdrawnError

        rig.outcome = withdraw
        event = rig.ask("a")
        await asyncio.sleep(1.1)

        assert rig.published == []
        assert not event.acknowledged

    running(Rig(), body)


def test_a_worker_that_was_suspended_calls_nobody_and_asks_for_its_partitions_anew() -> None:
    async def body(rig: Rig) -> None:
        event = rig.ask("a", "b")
        rig.lease_lost = True
        await asyncio.sleep(1)

        assert rig.called == []
        assert rig.rejoined == 1
        assert not event.acknowledged

    running(Rig(), body)


def test_nobody_is_called_while_many_answers_wait_to_be_written() -> None:
    async def body(rig: Rig) -> None:
        rig.writing = 100
        rig.ask(*ascii_letters)
        await asyncio.sleep(90)
        assert len(rig.called) == (1 + UNWRITTEN) * 2, "whatever is killed now, no more calls come again"
        await asyncio.sleep(9000)

        assert len(rig.called) == len(rig.published) == len(ascii_letters)

    running(Rig(limit=2), body)


def test_answers_that_were_dropped_with_their_partitions_hold_nobody_up() -> None:
    async def body(rig: Rig) -> None:
        rig.writing = 1e6
        rig.ask(*ascii_letters)
        await asyncio.sleep(30)
        rig.stage.start_over("for a reason")
        own(rig.stage, GENERATION)
        rig.ask("1", "2")
        await asyncio.sleep(2)

        assert [value for _, value in rig.called[-2:]] == [b"1", b"2"]

    running(Rig(), body)


def test_what_a_call_raises_ends_the_stage() -> None:
    async def main() -> None:
        rig = Rig()

        def fail(_: Job[bytes]) -> Outcome:
            raise RuntimeError("a mistake")

        rig.outcome = fail
        rig.ask("a")
        working = asyncio.create_task(rig.stage.run(rig.stream))

        with pytest.raises(RuntimeError, match="a mistake"):
            await rig.runner.run()
        working.cancel()

    run(main())


def test_what_a_core_raises_about_an_outcome_ends_the_stage() -> None:
    async def main() -> None:
        rig = Rig()
        rig.outcome = lambda _: Failed(None)  # type: ignore[arg-type] # its reason cannot be cut
        rig.ask("a")
        working = asyncio.create_task(rig.stage.run(rig.stream))

        async with asyncio.timeout(60):
            with pytest.raises(TypeError):
                await rig.runner.run()
        working.cancel()

    run(main())


def test_no_more_is_read_than_may_be_held() -> None:
    async def body(rig: Rig) -> None:
        events = [rig.ask("a", "b"), rig.ask("c", "d"), rig.ask("e", "f")]
        await asyncio.sleep(0.5)
        assert [event.value is None for event in events] == [True, True, False]
        await asyncio.sleep(4)

        assert all(event.acknowledged for event in events)

    running(Rig(hold=3), body)
