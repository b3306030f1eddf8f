"""When a stage flushes by itself."""

import asyncio

from streams.core.contract import Change, Flush
from tests.support.echo_stage import GENERATION, Echo, Event, Rig, record
from tests.support.owning import own
from tests.support.virtual_time import run


async def keep_flushing(rig: Rig, arrivals: list[tuple[float, bytes]], until: float) -> list[Event]:
    """Run a stage until a moment, with chunks of one record that come at their moments."""
    tasks = [asyncio.create_task(rig.stage.run(rig.stream)), asyncio.create_task(rig.stage.keep_flushing())]
    loop, events = asyncio.get_running_loop(), []
    for at, value in arrivals:
        await asyncio.sleep(at - loop.time())
        events.append(rig.stream.put(record(value)))
    await asyncio.sleep(until - loop.time())
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return events


def test_a_stage_flushes_at_its_interval() -> None:
    async def main() -> None:
        rig = Rig(interval=2.0)
        await keep_flushing(rig, [(0.5, b"a"), (0.6, b"b"), (3.0, b"c")], until=9.0)

        assert rig.times() == [2.0, 4.0]
        assert rig.values() == [b"a", b"b", b"c"]
        assert rig.delivered[0][1][0].seal == [Change(b"", b"2 at 1002")]

    run(main())


def test_stages_that_hold_nothing_flush_at_the_same_moments_and_none_later_than_its_interval() -> None:
    async def main() -> None:
        rig, asked = Rig(interval=1.0, stored={0: {}}), list[float]()

        class Clock(Echo):
            def flush(self, now: float, *, seal: bool) -> Flush:
                asked.append(round(now - 1000, 3))
                return super().flush(now, seal=seal)

        rig.stage._make = Clock
        own(rig.stage, GENERATION)
        await asyncio.sleep(10.7)
        await keep_flushing(rig, [(12.4, b"a"), (13.0, b"b")], until=15.5)

        assert asked == [10.7, 11, 12, 13, 14, 15]
        assert rig.times() == [13, 14]

    run(main())


def test_with_an_interval_of_zero_a_stage_flushes_at_once() -> None:
    async def main() -> None:
        rig = Rig(interval=0.0)
        events = await keep_flushing(rig, [(0.5, b"a"), (0.6, b"b")], until=0.7)

        assert rig.times() == [0.5, 0.6]
        assert all(event.acknowledged for event in events)

    run(main())


def test_with_an_interval_of_zero_a_quiet_stage_still_looks_at_the_clock_every_second() -> None:
    async def main() -> None:
        asked: list[float] = []

        class Clock(Echo):
            def flush(self, now: float, *, seal: bool) -> Flush:
                assert seal
                asked.append(round(now, 3))
                return Flush()

        rig = Rig(interval=0.0, stored={0: {}})
        rig.stage._make = Clock
        own(rig.stage, GENERATION)
        await keep_flushing(rig, [], until=3.5)

        assert asked == [1001, 1002, 1003]

    run(main())


def test_an_eager_stage_delivers_at_once_and_acknowledges_at_its_interval() -> None:
    async def main() -> None:
        rig = Rig(interval=2.0, eager=True)
        events = await keep_flushing(rig, [(2.5, b"a"), (2.6, b"b")], until=3.0)

        assert rig.values() == [b"a", b"b"]
        assert rig.times() == [2.5, 2.6]
        assert not any(event.acknowledged for event in events)

        (event,) = await keep_flushing(rig, [(3.1, b"c")], until=4.5)
        assert rig.times()[2:] == [3.1, 4.0]
        assert rig.delivered[3][1][0].seal == [Change(b"", b"3 at 1004")]
        assert all(each.acknowledged for each in [*events, event])

    run(main())


def test_a_stage_without_partitions_waits_for_them_and_lets_others_run() -> None:
    async def main() -> None:
        for interval, eager in ((0.1, False), (0.0, False), (1.0, True)):
            rig = Rig(interval=interval, eager=eager)
            rig.stage.begin(GENERATION)
            rig.stage.wake()
            asyncio.get_running_loop().call_later(30, rig.stage.resume, GENERATION)

            await keep_flushing(rig, [], until=asyncio.get_running_loop().time() + 60)

            assert rig.loads == 1

    run(main())
