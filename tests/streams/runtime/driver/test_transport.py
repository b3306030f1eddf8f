"""What is delivered where retention was faster, without a broker."""

import asyncio
import logging
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.runtime.driver import transport
from streams.runtime.driver.consumer_thread import Fetched
from streams.runtime.driver.coverage import Coverage

PLACE = TP("retained", 0)


def consumer(*, expected: int, earliest: int) -> Any:
    """Return a consumer that waits for `expected`, of a partition that begins at `earliest`."""
    found: Any = object.__new__(transport.Consumer)
    found.app = SimpleNamespace(recovered=True, consumer_generation_id=1, sources=(PLACE.topic,))
    found._coverage, found._acked = {PLACE: Coverage(expected)}, {}
    found._held_up, found._paused_partitions, found._moved = frozenset(), set(), False

    async def earliest_offsets(*_tps: TP) -> dict[TP, int]:
        return {PLACE: earliest}

    found.earliest_offsets = earliest_offsets
    return found


async def group_counts() -> None:
    """Say that the group counts."""


def lost() -> float:
    value: float = transport.LOST.labels(PLACE.topic)._value.get()
    return value


def fetched(first: int, last: int, start: int) -> Fetched:
    batch = Fetched(SimpleNamespace(offset=offset, timestamp=0, timestamp_type=1) for offset in range(first, last + 1))
    batch.start, batch.end = start, last + 1
    return batch


async def test_what_is_in_hand_when_retention_goes_past_it_is_delivered_and_not_lost() -> None:
    reader, before = consumer(expected=100, earliest=1000), lost()

    (message,) = await reader._messages(PLACE, fetched(150, 160, start=100))

    assert [record.offset for record in message.value.records] == list(range(150, 161))
    assert lost() - before == 50
    assert reader._coverage[PLACE].expected == 161


async def test_what_retention_deleted_before_it_was_fetched_is_counted() -> None:
    reader, before = consumer(expected=100, earliest=120), lost()

    (message,) = await reader._messages(PLACE, fetched(150, 160, start=100))

    assert message.value.records[0].offset == 150
    assert lost() - before == 20


async def test_where_a_partition_has_no_leader_the_others_do_not_wait_for_it() -> None:
    led, asked = TP(PLACE.topic, 1), list[TP]()
    reader = consumer(expected=0, earliest=0)
    reader.app.kept_positions = group_counts
    reader._committed_offset, reader._read_offset = {led: None, PLACE: 5}, {}
    reader._acked_index, reader._acked = defaultdict(set), defaultdict(list)
    cluster = SimpleNamespace(leader_for_partition=lambda tp: 1 if tp == led else transport.NO_LEADER)
    reader._thread = SimpleNamespace(_consumer=SimpleNamespace(_client=SimpleNamespace(cluster=cluster)))

    async def seek_to_committed() -> dict[TP, int]:
        return {PLACE: 5}

    async def ask(*tps: TP) -> dict[TP, int]:
        asked.extend(tps)
        return dict.fromkeys(tps, 3)

    reader.assignment = lambda: {led, PLACE}
    reader.seek_to_committed, reader.earliest_offsets, reader.highwaters = seek_to_committed, ask, ask

    await reader.perform_seek()

    assert set(asked) == {led}
    assert {tp: coverage.expected for tp, coverage in reader._coverage.items()} == {led: 3, PLACE: 5}


async def test_partitions_of_which_no_more_is_taken_stay_in_kafka_and_changelogs_are_read() -> None:
    reader = consumer(expected=0, earliest=0)
    reader.app.stage = SimpleNamespace(held_up=frozenset({0, 1}))
    other, changelog = TP(PLACE.topic, 2), TP("changelog", 0)
    asked: list[set[TP]] = []
    left: list[set[TP]] = []
    reader.assignment = lambda: {PLACE, TP(PLACE.topic, 1), other, changelog}

    async def getmany(active: set[TP], _timeout: float) -> dict[TP, Fetched]:
        asked.append(active)
        return {}

    async def sleep(_seconds: float) -> None: ...

    reader._thread, reader.sleep = SimpleNamespace(getmany=getmany, leave=left.append), sleep
    await reader._getmany({PLACE, TP(PLACE.topic, 1), other, changelog}, 1.0)
    assert asked == [{other, changelog}]

    await reader._getmany({PLACE}, 1.0)
    assert asked == [{other, changelog}], "an empty set would mean all of them"

    reader.app.stage.held_up = frozenset()
    await reader._getmany({PLACE}, 1.0)
    assert asked[1:] == [{PLACE}]
    assert left == [{PLACE, TP(PLACE.topic, 1)}, set()]


def committing(commit: Callable[[Mapping[TP, int]], Awaitable[bool]]) -> Any:
    """Return a consumer with 5 committed, which commits by `commit`."""
    found = consumer(expected=0, earliest=0)

    async def flush() -> None: ...

    found.app.producer, found.app.monitor = SimpleNamespace(flush=flush), None
    found.log, found.assignment = SimpleNamespace(dev=logging.debug, info=logging.info), lambda: {PLACE}
    found.in_transaction, found._commit, found._committed_offset = False, commit, {PLACE: 5}
    return found


async def test_a_commit_that_ended_with_the_thread_of_the_consumer_is_none_and_no_cancellation_of_who_asked() -> None:
    async def cancelled(_offsets: Mapping[TP, int]) -> bool:
        raise asyncio.CancelledError  # as the thread passes on what it cancelled when it ended

    reader = committing(cancelled)

    assert await reader._commit_offsets({PLACE: 9}) is False

    assert reader._committed_offset == {PLACE: 5}
    assert reader._moved, "it is tried again"


class Delivered:
    generation_id, tp, topic, offset, acked = 1, PLACE, PLACE.topic, 7, False


async def test_what_may_be_committed_is_looked_at_once_after_each_move(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, looks = committing(None), list[int]()  # type: ignore[arg-type]
    reader._acked_index, reader._n_acked, reader._unacked_messages = {PLACE: set()}, 0, set()
    reader._acked, reader._waiting_for_ack = {PLACE: []}, None
    reader.app.client_only, reader._commit_fut, reader.loop = False, None, asyncio.get_running_loop()
    reader.app.topics = SimpleNamespace(acks_enabled_for=lambda _topic: True)
    reader.app.sensors = SimpleNamespace(on_commit_initiated=lambda _: None, on_commit_completed=lambda *_: None)
    reader.diag = SimpleNamespace(set_flag=lambda _: None, unset_flag=lambda _: None)
    reader._stopped, reader._crashed, reader.commit_interval = asyncio.Event(), asyncio.Event(), 1.0
    seconds = 0

    def filtered(_topics: object) -> list[TP]:
        looks.append(seconds)
        return []

    async def beat(_interval: float) -> None:
        nonlocal seconds
        seconds += 1
        if seconds == 3:
            assert reader.ack(Delivered())
        elif seconds == 6:
            await reader._messages(PLACE, fetched(8, 7, start=0))  # nothing but transaction markers
        elif seconds == 9:
            reader._stopped.set()

    reader._filter_tps_with_pending_acks = filtered
    monkeypatch.setattr(transport, "beat", beat)

    await transport.Consumer._commit_handler.fun(reader)

    assert looks == [3, 6]


async def test_who_is_cancelled_while_it_commits_is_cancelled() -> None:
    async def hanging(_offsets: Mapping[TP, int]) -> bool:
        await asyncio.Event().wait()
        return True

    task = asyncio.create_task(committing(hanging)._commit_offsets({PLACE: 9}))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def polling() -> Any:
    reader = consumer(expected=100, earliest=0)
    reader.flow_active, reader._nothing_new = True, 0
    reader._buffered_partitions, reader._acked = set(), {}
    reader.changelogs = SimpleNamespace(passed=lambda *_: False)
    reader.app.tables, reader._stopped = SimpleNamespace(changelog_topics=()), asyncio.Event()
    reader._crashed, reader.app.monitor = asyncio.Event(), SimpleNamespace(track_tp_end_offset=lambda *_: None)
    reader.highwater = lambda _tp: 0
    return reader


async def test_what_a_fetch_brought_is_let_go_of_with_the_chunks_that_are_made_of_it() -> None:
    reader = polling()
    records: dict[TP, Fetched] = {PLACE: fetched(100, 105, start=100)}
    batch = weakref.ref(records[PLACE])

    async def wait(_timeout: float) -> Any:
        return records, {PLACE}

    reader._wait_next_records = wait
    async for _, message in reader.getmany(1.0):
        assert [record.offset for record in message.value.records] == list(range(100, 106))
        assert batch() is None
        break
    else:
        pytest.fail("nothing came")


async def test_who_found_nothing_new_for_a_while_waits_longer_until_something_comes() -> None:
    reader, waits = polling(), list[float]()
    found = Fetched.of((), 100, 100)

    async def wait(timeout: float) -> Any:  # noqa: ASYNC109 - as Faust names it
        waits.append(timeout)
        return {PLACE: found}, {PLACE}

    reader._wait_next_records = wait

    async def ask() -> list[Any]:
        return [message async for _, message in reader.getmany(1.0)]

    for _ in range(5):
        assert await ask() == []
    assert waits == [1.0, 1.0, 1.0, transport.QUIET_WAIT, transport.QUIET_WAIT]

    found = fetched(100, 100, start=100)
    assert len(await ask()) == 1
    found = Fetched.of((), 101, 101)
    await ask()
    assert waits[-1] == 1.0

    for _ in range(3):
        await ask()
    assert waits[-1] == transport.QUIET_WAIT
    reader.app.recovered = False
    await ask()
    assert waits[-1] == 1.0
