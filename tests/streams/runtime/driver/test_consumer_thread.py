"""What the group's answers mean for the partitions."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import group_coordinator
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.runtime.driver.consumer_thread import CallQueue, ConsumerThread, Fetched, GroupCoordinator
from streams.runtime.lease import Lease

REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID = 27, 22, 25, 82


class App:
    def __init__(self) -> None:
        self.time = 100.0
        self.lease = Lease(12.0, clock=lambda: self.time)
        self.lost: list[str] = []

    def lose(self, why: str) -> None:
        self.lease.end(why)
        self.lost.append(why)


class Group:
    """A group that answers every request alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.answer = App(), SimpleNamespace(error_code=0, topics=[])
        self.coordinator: Any = object.__new__(GroupCoordinator)
        self.coordinator._subscription = SimpleNamespace(app=self.app)

        async def send(_coordinator: object, _request: object) -> object:
            return self.answer

        monkeypatch.setattr(group_coordinator.GroupCoordinator, "_send_req", send)

    async def heartbeat(self, error: int) -> None:
        self.app.time += 1
        self.answer.error_code = error
        await self.coordinator._send_req(HeartbeatRequest("g", 5, "m"))

    async def commit(self, *errors: int) -> None:
        self.answer.topics = [("topic", list(enumerate(errors)))]
        await self.coordinator._send_req(OffsetCommitRequest("g", 5, "m", -1, []))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(monkeypatch)


@pytest.mark.parametrize("error", [0, REBALANCE_IN_PROGRESS])
async def test_an_answer_that_knows_the_member_confirms_the_lease(group: Group, error: int) -> None:
    group.app.time = 111.0
    await group.heartbeat(error)

    group.app.time = 122.0
    assert group.app.lease.held
    assert group.app.lost == []


@pytest.mark.parametrize("error", [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID])
async def test_an_answer_that_does_not_know_the_member_ends_the_lease_at_once(group: Group, error: int) -> None:
    await group.heartbeat(0)
    await group.heartbeat(error)

    assert not group.app.lease.held
    assert len(group.app.lost) == 1
    await group.heartbeat(0)
    assert group.app.lease.held, "a member again"


async def test_a_commit_that_is_refused_for_its_generation_ends_the_lease(group: Group) -> None:
    await group.commit(0, 0)
    assert group.app.lost == []

    await group.commit(0, ILLEGAL_GENERATION)

    assert group.app.lost == ["ILLEGAL_GENERATION"]


PLACE = TP("topic", 0)


class Fetches:
    """A consumer's thread that waits for records; `moved` are positions, `records` what is in hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = asyncio.get_running_loop()
        self.records: list[Any] = []
        self.fetcher = SimpleNamespace(moved={}, _fetch_waiters=set(), _create_fetch_waiter=self._waiter)
        self.fetcher._notify = lambda waiter: waiter.done() or waiter.set_result(None)
        subscription = SimpleNamespace(reassignment_in_progress=False, subscription=None)
        self.consumer = SimpleNamespace(_fetcher=self.fetcher, _subscription=subscription)
        self.thread: Any = object.__new__(ConsumerThread)
        self.thread.consumer, self.thread.thread_loop = SimpleNamespace(flow_active=True), self.loop
        self.thread._consumer, self.thread._seen = self.consumer, {}

        async def in_hand(_thread: object, *_args: object, **_how: object) -> dict[TP, list[Any]]:
            return {PLACE: self.records} if self.records else {}

        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", in_hand)

    def _waiter(self) -> asyncio.Future[None]:
        waiter = self.loop.create_future()
        self.fetcher._fetch_waiters.add(waiter)
        waiter.add_done_callback(self.fetcher._fetch_waiters.remove)
        return waiter

    def come(self) -> None:
        """Let a fetch be answered with a record."""
        self.records, self.fetcher.moved[PLACE] = [SimpleNamespace(offset=7)], (7, 8)
        self.thread._call_back()  # as aiokafka wakes who waits

    async def wait(self, seconds: float) -> dict[TP, Fetched]:
        found: dict[TP, Fetched] = await self.thread._fetch_records(self.consumer, {PLACE}, timeout=seconds)
        return found


@pytest.mark.parametrize("what", [Fetches.come, lambda fetches: fetches.thread.call_back()])
async def test_a_long_wait_for_records_ends_when_some_come_or_what_may_be_handed_out_changes(
    monkeypatch: pytest.MonkeyPatch, what: Callable[[Fetches], None]
) -> None:
    fetches = Fetches(monkeypatch)
    waiting = asyncio.create_task(fetches.wait(3600))
    await asyncio.sleep(0.01)
    assert not waiting.done()

    what(fetches)

    found = await asyncio.wait_for(waiting, 5)
    assert [(batch.start, batch.end) for batch in found.values() if batch] == ([(7, 8)] if fetches.records else [])
    assert not fetches.fetcher._fetch_waiters


async def test_a_call_back_that_comes_before_the_wait_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    fetches = Fetches(monkeypatch)
    fetches.thread.call_back()
    await asyncio.sleep(0)

    await asyncio.wait_for(fetches.wait(3600), 5)

    assert await fetches.wait(0.01) == {}, "and counts once"


async def test_who_waits_for_nothing_to_flow_or_in_vain_waits_no_longer_than_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetches = Fetches(monkeypatch)
    assert await asyncio.wait_for(fetches.wait(0.01), 5) == {}

    fetches.thread.consumer.flow_active = False
    assert await asyncio.wait_for(fetches.wait(3600), 5) == {}
    assert not fetches.fetcher._fetch_waiters


async def test_a_wait_that_ends_in_a_rebalance_does_not_wait_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fetches = Fetches(monkeypatch)
    waiting = asyncio.create_task(fetches.wait(3600))
    await asyncio.sleep(0)
    fetches.consumer._subscription.reassignment_in_progress = True
    fetches.come()

    assert await asyncio.wait_for(waiting, 5) == {}


async def test_what_a_call_returned_is_let_go_of_when_who_asked_has_it() -> None:
    queue, loop = CallQueue(num_workers=2), asyncio.get_running_loop()
    await queue.start()

    async def fetch() -> Fetched:
        return Fetched.of((), 7, 8)

    found = weakref.ref(await answer(queue, loop, fetch))
    for _ in range(10):  # turns of the loop, in which the worker comes to its end
        await asyncio.sleep(0)
    gc.collect()

    assert found() is None
    assert (await answer(queue, loop, fetch)).end == 8, "and the next one is answered"
    await queue.stop()


async def answer(queue: CallQueue, loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> Any:
    return await (await queue.call(loop.create_future(), call))
