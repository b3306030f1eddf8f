"""The shell of every stage, on a stream of made-up events, with time that passes by itself."""

import asyncio
from collections.abc import Mapping

import pytest
from prometheus_client import REGISTRY

from schemas.envelope import Consumed, Outgoing
from streams.core.contract import Chunk, Flush
from streams.runtime.errors import DrainError, SuspendedError, TooManyRefusedError
from streams.runtime.stage import HELD_BYTES, HELD_RECORDS, PATIENCE, TOGETHER, Stage
from tests.support.echo_stage import GENERATION, Echo, Event, Rig, cores, record
from tests.support.owning import own
from tests.support.virtual_time import run


async def test_a_chunk_is_acknowledged_when_what_came_of_it_is_delivered_and_not_before() -> None:
    rig = Rig()
    (event,) = await rig.fold((record(b"a"), record(b"b")))
    rig.open.clear()

    flushing = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)
    assert rig.stage.delivering
    assert not event.acknowledged
    rig.open.set()
    await flushing

    assert event.acknowledged
    assert not rig.stage.delivering
    assert rig.values() == [b"a", b"b"]


async def test_a_chunk_that_changes_nothing_is_acknowledged_without_delivery() -> None:
    rig = Rig()
    (event,) = await rig.fold(())

    await rig.stage.flush()

    assert event.acknowledged
    assert rig.delivered == []


async def test_what_is_folded_during_a_delivery_waits_for_the_next() -> None:
    rig = Rig()
    await rig.fold((record(b"a"),))
    rig.open.clear()
    flushing = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)

    (later,) = await rig.fold((record(b"b"),))
    rig.open.set()
    await flushing
    assert not later.acknowledged
    await rig.stage.flush()

    assert later.acknowledged
    assert rig.values() == [b"a", b"b"]


async def test_it_is_told_for_how_long_nothing_was_acknowledged_and_how_long_chunks_are() -> None:
    names = "cxone_chunk_records_sum", "cxone_chunk_records_count", "cxone_settled_seconds_count"
    rig = Rig()
    before = [REGISTRY.get_sample_value(name, {"stage": rig.stage.name}) or 0 for name in names]
    assert rig.stage.unacknowledged == 0

    await rig.fold((record(b"a"), record(b"b")))
    rig.open.clear()
    flushing = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)
    assert rig.stage.unacknowledged > 0, "what is being delivered is not acknowledged"
    rig.open.set()
    await flushing

    assert rig.stage.unacknowledged == 0
    after = [REGISTRY.get_sample_value(name, {"stage": rig.stage.name}) or 0 for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


async def test_flushes_do_not_overtake_each_other() -> None:
    rig = Rig()
    await rig.fold((record(b"a"),))
    rig.open.clear()
    first = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)
    await rig.fold((record(b"b"),))
    second = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)

    rig.open.set()
    await asyncio.gather(first, second)

    assert rig.values() == [b"a", b"b"]


async def test_nothing_is_acknowledged_when_delivery_fails() -> None:
    rig = Rig(failure=RuntimeError("refused"))
    (event,) = await rig.fold((record(),))

    with pytest.raises(RuntimeError, match="refused"):
        await rig.stage.flush()

    assert not event.acknowledged
    assert not rig.stage.delivering


@pytest.mark.parametrize("lost", [False, True])
async def test_a_chunk_that_cannot_be_read_yet_is_waited_for_unless_its_partition_goes(lost: bool) -> None:
    rig, readable = Rig(), asyncio.Event()
    event = rig.stream.put(record(b"a"))
    rig.stream.close()

    async def learn(_chunk: Chunk) -> None:
        await readable.wait()

    running = asyncio.create_task(rig.stage.run(rig.stream, learn))
    await asyncio.sleep(0)
    await rig.stage.flush()
    assert not event.acknowledged
    if lost:
        rig.stage.start_over("they are another's")
    readable.set()
    await running
    await rig.stage.flush()

    assert event.acknowledged is not lost
    assert rig.values() == ([] if lost else [b"a"])


async def test_an_eager_flush_delivers_outputs_and_acknowledges_nothing() -> None:
    rig = Rig(eager=True)
    (event,) = await rig.fold((record(),))

    await rig.stage.flush(seal=False)

    assert rig.values() == [b"x"]
    assert not event.acknowledged
    await rig.stage.flush()
    assert event.acknowledged


async def test_partitions_have_cores_of_their_own_made_from_what_is_stored() -> None:
    rig = Rig(stored={0: {b"k": b"0"}, 2: {b"k": b"2"}})
    own(rig.stage, GENERATION)

    assert {partition: core.stored for partition, core in cores(rig).items()} == {0: {b"k": b"0"}, 2: {b"k": b"2"}}


async def test_state_is_loaded_once_for_each_assignment() -> None:
    rig = Rig(stored={0: {}})
    own(rig.stage, GENERATION)
    await rig.fold((record(),))
    rig.stage.resume(GENERATION)
    assert rig.loads == 1

    own(rig.stage, GENERATION + 1)

    assert rig.loads == 2


async def test_what_was_folded_is_gone_after_forgetting_and_is_not_acknowledged() -> None:
    rig = Rig()
    (event,) = await rig.fold((record(),))

    rig.stage.forget()
    await rig.stage.flush()

    assert rig.delivered == []
    assert not event.acknowledged


async def test_a_stage_lets_go_of_records_that_only_wait_to_be_acknowledged() -> None:
    rig = Rig()

    (event,) = await rig.fold((record(),))

    assert (event.value, event.message.value) == (None, None)


@pytest.mark.parametrize(
    "many", [(record(),) * (HELD_RECORDS // 2), (record(b"x" * (HELD_BYTES // 2)),)], ids=["records", "bytes"]
)
async def test_too_much_that_is_not_acknowledged_waits_for_its_delivery(many: tuple[Consumed, ...]) -> None:
    rig = Rig()
    rig.open.clear()
    events = [rig.stream.put(*many) for _ in range(4)]
    running = asyncio.create_task(rig.stage.run(rig.stream))
    for _ in range(10):
        await asyncio.sleep(0)

    assert [event.value is None for event in events] == [True, True, True, False], "the fourth chunk is not taken yet"
    rig.open.set()
    rig.stream.close()
    await running

    assert [event.acknowledged for event in events] == [True, True, True, False]
    await rig.stage.flush()
    assert events[3].acknowledged


async def test_most_records_refused_stops_the_stage() -> None:
    rig = Rig(refusals=0.5)

    with pytest.raises(TooManyRefusedError):
        await rig.fold((record(None),) * 1000)


async def test_as_many_refusals_as_allowed_do_not_stop_it() -> None:
    rig = Rig(refusals=0.5)

    await rig.fold((record(None),) * 500 + (record(),) * 500)


async def test_a_worker_that_was_suspended_starts_over_and_asks_for_partitions_anew() -> None:
    rig = Rig(stored={0: {}}, failure=SuspendedError("away"))
    (event,) = await rig.fold((record(),))

    await rig.stage.flush()

    assert rig.rejoined == 1
    assert not event.acknowledged
    assert not rig.stage.cores


async def test_what_is_given_up_while_starting_over_ends_nothing() -> None:
    rig = Rig(stored={0: {}})
    (event,) = await rig.fold((record(b"a"),))
    rig.open.clear()
    flushing = asyncio.create_task(rig.stage.flush())
    await asyncio.sleep(0)

    rig.stage.start_over("cut off")
    rig.failure = RuntimeError("given up")
    rig.open.set()
    await flushing

    assert rig.rejoined == 1
    assert not event.acknowledged
    rig.failure = None
    own(rig.stage, GENERATION)
    await rig.fold((record(b"a"),))
    await rig.stage.flush()
    assert rig.values() == [b"a"]


async def test_a_chunk_that_was_lost_on_the_way_is_noticed_and_everything_comes_again() -> None:
    rig = Rig(stored={0: {}})
    events = [rig.stream.put(record(value), number=number) for number, value in ((0, b"a"), (2, b"c"), (3, b"d"))]
    rig.stream.close()

    await rig.stage.run(rig.stream)
    await rig.stage.flush()

    assert rig.rejoined == 1
    assert rig.delivered == []
    assert [event.acknowledged for event in events] == [False] * 3
    assert not rig.stage.cores

    own(rig.stage, GENERATION)
    again = [rig.stream.put(record(value), number=number) for number, value in enumerate((b"a", b"b", b"c"))]
    rig.stream.close()
    await rig.stage.run(rig.stream)
    await rig.stage.flush()

    assert rig.values() == [b"a", b"b", b"c"]
    assert [event.acknowledged for event in again] == [True] * 3


async def test_the_first_chunk_of_an_assignment_is_missed_as_well() -> None:
    rig = Rig(stored={0: {}})
    rig.stream.put(record(), number=1)
    rig.stream.close()

    await rig.stage.run(rig.stream)

    assert rig.rejoined == 1


async def test_chunks_are_numbered_for_each_partition_and_anew_after_a_seek() -> None:
    rig = Rig(stored={0: {}, 1: {}})
    for partition, number in ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (0, 0), (0, 1)):
        rig.stream.put(record(), partition=partition, number=number)
    rig.stream.close()

    await rig.stage.run(rig.stream)

    assert rig.rejoined == 0
    assert {partition: core.folded for partition, core in cores(rig).items()} == {0: 5, 1: 2}


async def test_draining_delivers_and_acknowledges_what_is_held() -> None:
    rig = Rig()
    (event,) = await rig.fold((record(b"a"),))

    await rig.stage.drain(deadline=5.0)

    assert rig.values() == [b"a"]
    assert event.acknowledged
    assert not rig.stage.cores


async def test_chunks_of_a_drained_generation_are_left_to_the_next_owner() -> None:
    rig = Rig()
    await rig.stage.drain(deadline=5.0)

    own(rig.stage, GENERATION + 1)
    old, new = rig.stream.put(record(b"old")), rig.stream.put(record(b"new"), generation=GENERATION + 1)
    rig.stream.close()
    await rig.stage.run(rig.stream)
    await rig.stage.flush()

    assert rig.values() == [b"new"]
    assert (old.acknowledged, new.acknowledged) == (False, True)


async def test_a_group_that_was_lost_and_counts_anew_is_taken_up() -> None:
    rig = Rig()
    await rig.stage.drain(deadline=5.0)

    own(rig.stage, GENERATION)
    (event,) = await rig.fold((record(b"again"),))
    await rig.stage.flush()

    assert rig.values() == [b"again"]
    assert event.acknowledged


def test_a_drain_that_takes_too_long_is_an_error_and_acknowledges_nothing() -> None:
    async def main() -> None:
        rig = Rig()
        rig.open.clear()
        (event,) = await rig.fold((record(),))

        with pytest.raises(DrainError, match=r"echo: .* 5\.0 s"):
            await rig.stage.drain(deadline=5.0)

        assert asyncio.get_running_loop().time() == pytest.approx(5.0)
        assert not event.acknowledged
        assert not rig.stage.cores

    run(main())


def test_a_drain_withdraws_what_waits_for_a_sink_that_is_away() -> None:
    async def main() -> None:
        rig = Rig()

        async def away(flushes: Mapping[int, Flush]) -> None:
            while True:
                await rig.stage.pause(3600.0)

        rig.stage._deliver = away
        (event,) = await rig.fold((record(),))
        rig.stage.blocked = "InfluxDB is away"
        flushing = asyncio.create_task(rig.stage.flush())
        await asyncio.sleep(10)

        await rig.stage.drain(deadline=5.0)

        await flushing
        assert asyncio.get_running_loop().time() == pytest.approx(10.0)
        assert not event.acknowledged

    run(main())


def test_a_pause_is_a_sleep_when_nothing_drains() -> None:
    async def main() -> None:
        await Rig().stage.pause(30.0)
        assert asyncio.get_running_loop().time() == pytest.approx(30.0)

    run(main())


def apart(stuck: int, interval: float = 1.0, *, eager: bool = False) -> Rig:
    """Return a stage of two partitions that are delivered apart, one of which cannot be written."""
    rig = Rig(interval=interval, eager=eager, apart=True, stuck=stuck, stored={0: {}, 1: {}})
    own(rig.stage, GENERATION)
    rig.open.clear()
    return rig


async def put(rig: Rig, partition: int, value: bytes, number: int = 0) -> Event:
    event = rig.stream.put(record(value), partition=partition, number=number)
    rig.stream.close()
    await rig.stage.run(rig.stream)
    return event


def test_a_partition_that_cannot_be_written_holds_up_no_other() -> None:
    async def main() -> None:
        rig = apart(stuck=0)
        first = [await put(rig, 0, b"a"), await put(rig, 1, b"b")]
        await rig.stage.flush()
        more = [await put(rig, 0, b"c", 1), await put(rig, 1, b"d", 1)]
        started = asyncio.get_running_loop().time()
        await rig.stage.flush()

        assert asyncio.get_running_loop().time() == started, "the one that waits is not waited for again"
        assert rig.values() == [b"b", b"d"]
        assert [event.acknowledged for event in (*first, *more)] == [False, True, False, True]
        assert rig.stage.delivering

        rig.open.set()
        await asyncio.sleep(0.1)
        await rig.stage.flush()
        assert rig.values() == [b"b", b"d", b"a", b"c"], "its own order is kept"
        assert all(event.acknowledged for event in (*first, *more))
        assert not rig.stage.delivering

    run(main())


def test_no_more_is_taken_of_a_partition_that_cannot_be_written_and_the_others_go_on() -> None:
    async def main() -> None:
        rig = apart(stuck=0)
        await put(rig, 0, b"a")
        await rig.stage.flush()
        assert not rig.stage.held_up, "every delivery takes a moment"

        await asyncio.sleep(PATIENCE)
        await put(rig, 1, b"b")
        await rig.stage.flush()
        assert rig.stage.held_up == {0}
        assert rig.stage.unwritten(PATIENCE) == {0: pytest.approx(PATIENCE + TOGETHER)}
        assert rig.stage.delivering
        assert not rig.stage.waiting, "a consumer that does not poll now is a fault"
        assert rig.values() == [b"b"]

        rig.open.set()
        await asyncio.sleep(0.1)
        assert not rig.stage.held_up
        assert rig.stage.unwritten(0) == {}

    run(main())


def test_at_once_no_partition_stands_behind_another_and_each_keeps_its_order() -> None:
    async def main() -> None:
        rig = apart(stuck=0, interval=0)
        flushing = asyncio.create_task(rig.stage.keep_flushing())
        await asyncio.sleep(1.1)  # after the look at all partitions
        began = asyncio.get_running_loop().time()
        rig.open.clear()
        events = [await put(rig, partition, value, number) for partition, value, number in THREE]
        await asyncio.sleep(0.01)
        assert rig.values() == [b"b"], "it does not wait for the stuck one"
        events.append(await put(rig, 1, b"d", 1))
        await asyncio.sleep(0.01)
        assert rig.values() == [b"b", b"d"]
        assert asyncio.get_running_loop().time() < began + TOGETHER

        rig.open.set()
        await asyncio.sleep(0.1)
        assert rig.values() == [b"b", b"d", b"a", b"c"], "what was folded meanwhile follows by itself"
        assert all(event.acknowledged for event in events)
        flushing.cancel()

    run(main())


def test_an_eager_stage_waits_for_no_partition_and_seals_one_that_is_never_free_at_a_look() -> None:
    async def main() -> None:
        rig = apart(stuck=0, eager=True)

        async def deliver(flushes: Mapping[int, Flush]) -> None:
            if 0 in flushes:
                await asyncio.sleep(0.3)  # one is always under way
            else:
                await rig.deliver(flushes)

        rig.stage._deliver = deliver
        flushing = asyncio.create_task(rig.stage.keep_flushing())
        quick, slow = list[Event](), list[Event]()
        for number in range(40):
            slow.append(await put(rig, 0, b"slow", number))
            quick.append(await put(rig, 1, b"%d" % number, number))
            await asyncio.sleep(0.1)
            assert b"%d" % number in rig.values(), "it stands behind no other"
        flushing.cancel()

        assert sum(event.acknowledged for event in quick) >= 25
        assert sum(event.acknowledged for event in slow) >= 20

    run(main())


THREE = ((0, b"a", 0), (1, b"b", 0), (0, b"c", 1))


def test_a_drain_waits_for_a_partition_that_was_not_waited_for() -> None:
    async def main() -> None:
        rig = apart(stuck=0)
        events = [await put(rig, 0, b"a"), await put(rig, 1, b"b")]
        await rig.stage.flush()
        events += [await put(rig, 0, b"c", 1), await put(rig, 1, b"d", 1)]
        asyncio.get_running_loop().call_later(3, rig.open.set)

        await rig.stage.drain(deadline=5.0)

        assert rig.values() == [b"b", b"d", b"a", b"c"]
        assert all(event.acknowledged for event in events)

    run(main())


def test_a_partition_that_cannot_be_written_until_the_drain_ends_it() -> None:
    async def main() -> None:
        rig = apart(stuck=0)
        await put(rig, 0, b"a")
        other = await put(rig, 1, b"b")

        with pytest.raises(DrainError):
            await rig.stage.drain(deadline=5.0)

        assert other.acknowledged

    run(main())


def test_a_drain_does_not_wait_for_what_each_flush_leaves_to_the_next() -> None:
    class Owing(Echo):
        def flush(self, now: float, *, seal: bool = True) -> Flush:
            self.outputs.append(Outgoing("out", b"k", b"one of the rows that are owed"))
            return super().flush(now, seal=seal)

    async def main() -> None:
        async def deliver(_flushes: Mapping[int, Flush]) -> None:
            await asyncio.sleep(TOGETHER + 0.1)

        stage = Stage("owing", load=lambda: {0: {}}, core=Owing, deliver=deliver, interval=1.0, apart=True)
        own(stage, GENERATION)

        await stage.drain(deadline=5.0)

    run(main())


def test_the_failure_of_a_partition_that_was_not_waited_for_ends_the_stage() -> None:
    async def main() -> None:
        rig = apart(stuck=0)
        await put(rig, 0, b"a")
        await rig.stage.flush()
        rig.failure = RuntimeError("refused")
        rig.open.set()
        await asyncio.sleep(0.1)

        with pytest.raises(RuntimeError, match="refused"):
            await rig.stage.flush()

    run(main())
