"""aiokafka's side of the transport, in a thread and an event loop of its own: fetching, and membership of the group.

Private names of Faust 0.15 and aiokafka 0.14 are used: both are pinned, and tests/kafka shows each behaviour.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any, Self

from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer import group_coordinator
from aiokafka.errors import NoError, RebalanceInProgressError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.threads import MethodQueue, MethodQueueWorker

from streams.runtime.driver.fetching import fetcher_class, using

CALLS_AT_A_TIME = 8
USUAL_FETCH = 1_000  # ms that a fetch waits where nothing comes
QUIET_FETCH = 5_000  # ms that it waits where nothing has come for a while
READ_UNCOMMITTED = 0
ENDS_WITHIN = 30_000  # ms
LOOK_INTERVAL = 1.0  # seconds between two looks at the positions of all partitions


class GroupCoordinator(group_coordinator.GroupCoordinator):
    """Confirms the lease with each answer of the group that knows this member; leaves instead of joining at a stop."""

    async def _send_req(self, request: Any) -> Any:
        app = self._subscription.app
        asked_at = app.lease.now()
        response = await super()._send_req(request)
        if isinstance(request, HeartbeatRequest | SyncGroupRequest) and response.error_code in _KNOWN:
            app.lease.confirm(asked_at)
        elif (lost := _lost(request, response)) is not None:
            app.lose(lost)
        return response

    async def _do_rejoin_group(self, subscription: Any) -> Any:
        if self._subscription.app.should_stop:
            await self._closing
            return False
        return await super()._do_rejoin_group(subscription)


_KNOWN = {NoError.errno, RebalanceInProgressError.errno}
_LOST = {22: "ILLEGAL_GENERATION", 25: "UNKNOWN_MEMBER_ID", 82: "FENCED_INSTANCE_ID"}


def _lost(request: Any, response: Any) -> str | None:
    """Return what the group said when it does not know this member any more."""
    if isinstance(request, HeartbeatRequest | SyncGroupRequest):
        return _LOST.get(response.error_code)
    if isinstance(request, OffsetCommitRequest):
        codes = (code for _, partitions in response.topics for _, code in partitions)
        return next((_LOST[code] for code in codes if code in _LOST), None)
    return None


def _consumer_class(in_runs: Collection[str], fetch_bytes: int, quiet_wait: int) -> type[Any]:
    """Return aiokafka's consumer, with our group coordinator and fetcher."""

    class Consumer(aiokafka_consumer.AIOKafkaConsumer):
        async def seek_to_committed(self, *tps: TP) -> dict[TP, int | None]:
            """Ask for the committed offsets of all partitions at a time, and go there."""
            wanted = tps or tuple(self._subscription.assigned_partitions())
            found = await self._coordinator.fetch_committed_offsets(wanted)
            committed = {tp: found[tp].offset if tp in found and found[tp].offset >= 0 else None for tp in wanted}
            for tp, offset in committed.items():
                if offset:
                    self._fetcher.seek_to(tp, offset)
            return committed

        start = using(
            aiokafka_consumer.AIOKafkaConsumer.start,
            Fetcher=fetcher_class(in_runs, fetch_bytes, quiet_wait),
            GroupCoordinator=GroupCoordinator,
        )

    return Consumer


class Fetched(list[Any]):
    """Records of one partition, and the consumer's position before and after they were handed out.

    `start` is None where nothing is known about what lies before the first record.
    """

    start: int | None
    end: int

    @classmethod
    def of(cls, records: Iterable[Any], start: int | None, end: int) -> Self:
        batch = cls(records)
        batch.start, batch.end = start, max(end, batch[-1].offset + 1) if batch else end
        return batch


class CallWorker(MethodQueueWorker):
    """Lets go of a call, and of what it returned, when it is done.

    mode's keeps both until its next call: of as many fetches as there are workers the records stayed in memory.
    """

    @Service.task
    async def _method_queue_do_work(self) -> None:
        queue = self.method_queue
        while not (self.should_stop or queue.should_stop):
            await queue.wait(queue._queue_ready)  # noqa: SLF001 - as there
            if not queue.should_stop:
                await queue._process_enqueued(await queue._queue.get())  # noqa: SLF001 - as there


class CallQueue(MethodQueue):
    Worker = CallWorker


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Owns the aiokafka consumer; notes positions around each fetch."""

    _looked = 0.0
    _called_back = False
    _method_queue: MethodQueue | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: dict[TP, int] = {}  # positions at the last look, or after what came since

    async def _keepalive2(self) -> None:
        """Do nothing: mode wakes this loop and the worker's every second, for whoever calls from the wrong thread."""

    @Service.task
    async def _thread_keepalive(self) -> None:
        """Do nothing, as above: a call from another thread wakes this loop itself."""

    @property
    def method_queue(self) -> MethodQueue:
        """Let more than Faust's two calls wait at a time.

        During a rebalance a fetch waits for the new assignment, and so may a seek: with both places taken, the commit
        that the rebalance waits for never came to its turn.
        """
        if self._method_queue is None:
            self._method_queue = CallQueue(num_workers=CALLS_AT_A_TIME, loop=self.thread_loop, beacon=self.beacon)
        return self._method_queue

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        in_runs = {*self.app.sources, *self.app.tables.changelog_topics}
        usual = self.app.fetch_wait_ms >= USUAL_FETCH and not self.app.tells_time
        quiet_wait = QUIET_FETCH if usual else 0  # a broker for which it is set shorter may answer at the end alone
        consumer.__class__ = _consumer_class(in_runs, self.app.fetch_bytes, quiet_wait)  # Faust names the class itself
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust asks for it only with exactly_once
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # noqa: SLF001 - Faust's 1.5 s cannot be set
        consumer._subscription.app = self.app  # noqa: SLF001 - what the coordinator has in common with us
        if len(self.app.sources) > 1:
            # Without tables Faust takes aiokafka's round robin, which gives topics that belong together to two members.
            self._assignor = self.app.assignor
            consumer._partition_assignment_strategy = [self._assignor]  # noqa: SLF001 - as Faust gives it
        return consumer

    async def _highwaters(self, partitions: Any) -> Mapping[TP, int]:
        """Return where partitions end, open transactions included: what a killed worker left open is waited for.

        It may be committed yet, and a recovery that stopped before it would miss what it sealed.
        """
        fetcher_ = copy(self._ensure_consumer()._fetcher)  # noqa: SLF001
        fetcher_._isolation_level = READ_UNCOMMITTED  # noqa: SLF001
        offsets: Mapping[TP, int] = await fetcher_.end_offsets(partitions, ENDS_WITHIN)
        return offsets

    async def put_back(self, records: Mapping[TP, tuple[int, int]]) -> None:
        """Go back from the end of a fetch to its first record, {partition: (first, end)}, unless it was left since."""
        for tp, position in self._positions(self._ensure_consumer()).items():
            first, end = records.get(tp, (0, -1))
            if position == end:
                self.seek(tp, first)

    def answered(self, tp: TP) -> tuple[int, int]:
        """Return when a fetch of `tp` was last answered, and the end of the log in that answer; -1 for neither."""
        subscription = self._consumer and self._consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription and subscription.assignment
        if not assignment or tp not in assignment.tps:
            return -1, -1
        state = assignment.state_value(tp)
        at = max(state.timestamp or -1, self._consumer._fetcher.heard_of(tp))  # noqa: SLF001
        return at, -1 if state.highwater is None else state.highwater

    def leave(self, partitions: Iterable[TP]) -> None:
        """Have these partitions, and no others, not fetched for now. Called from any thread."""
        fetcher = self._consumer and self._consumer._fetcher  # noqa: SLF001
        if fetcher and fetcher.left != (left := frozenset(partitions)):
            fetcher.left = left
            self.thread_loop.call_soon_threadsafe(fetcher.look)

    def call_back(self) -> None:
        """End a wait for records: what may be handed out has changed. Called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self.thread_loop.call_soon_threadsafe(self._call_back)

    def _call_back(self) -> None:
        self._called_back = True
        fetcher = self._consumer and self._consumer._fetcher  # noqa: SLF001
        for waiter in tuple(fetcher._fetch_waiters) if fetcher else ():  # noqa: SLF001
            fetcher._notify(waiter)  # noqa: SLF001

    def _positions(self, consumer: Any) -> dict[TP, int]:
        subscription = consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription and subscription.assignment
        if not assignment:
            return {}
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        return {tp: state.position for tp, state in states.items() if state is not None and state.has_valid_position}

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, Fetched]:
        if consumer._subscription.reassignment_in_progress:  # noqa: SLF001
            return {}  # aiokafka would wait for the assignment
        fetcher, moved = consumer._fetcher, consumer._fetcher.moved  # noqa: SLF001
        moved.clear()
        take = partial(super()._fetch_records, consumer, active_partitions, timeout=0, max_records=max_records)
        records = await take()
        if timeout and self.consumer.flow_active and not (records or moved or self._called_back):
            waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
            await asyncio.wait([waiter], timeout=timeout)
            if waiter.done():
                waiter.result()
            else:
                waiter.cancel()
            if consumer._subscription.reassignment_in_progress:  # noqa: SLF001
                return {}  # as above
            records = await take()
        self._called_back = False
        found = {tp: Fetched.of(records.get(tp, ()), *moved[tp]) for tp in moved.keys() | records.keys()}
        moved.clear()
        self._look(consumer, found)
        return found

    def _look(self, consumer: Any, found: dict[TP, Fetched]) -> None:
        """Put into what was found where all other partitions are, once in a while.

        What was dropped on the way is missed by its position, and aiokafka moves out of what retention deleted.
        """
        now = time.monotonic()
        if now - self._looked >= LOOK_INTERVAL:
            self._looked, before, self._seen = now, self._seen, self._positions(consumer)
            for tp, position in self._seen.items():
                start = position if tp.topic in self.app.sources else before.get(tp)
                found.setdefault(tp, Fetched.of((), start, position))
        else:
            self._seen.update({tp: batch.end for tp, batch in found.items()})
