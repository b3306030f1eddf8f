"""Faust's aiokafka transport, delivering chunks instead of records.

Stock Faust spends about 200 µs in asyncio tasks per record; here one Faust message is a whole run of records of one
partition, and groups, rebalancing, tables, recovery, commits and the command line stay Faust's. Only an app's `sources`
are chunked; changelogs go into their tables a fetch at a time. The other half, in the thread that owns the aiokafka
consumer, is `streams.runtime.driver.consumer_thread`.

What may be committed and what may be delivered is decided by `Coverage`, one for each partition: Faust hands out
records that were fetched before the seek that follows a rebalance, skips chunks whose generation has passed, and its
own gap bookkeeping stalls when offsets jump; a position remembered here survives all three.

Private names of Faust 0.15 and aiokafka 0.14 are used: both are pinned, and tests/kafka shows each behaviour.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode import Service
from prometheus_client import Counter

from streams.core.contract import Chunk
from streams.runtime.beat import beat
from streams.runtime.driver.changelog_reading import ChangelogReading
from streams.runtime.driver.consumer_thread import ConsumerThread, Fetched
from streams.runtime.driver.coverage import Coverage

log = structlog.get_logger(component="transport")

LOST = Counter("cxone_records_lost_to_retention", "Records that retention deleted before they were read.", ["topic"])

SCHEME = "chunked"
QUIET_AFTER = 3  # times that nothing new came, after which it is waited for longer
QUIET_WAIT = 5.0  # seconds: what comes, or changes what may be taken, ends it
NO_LEADER = -1  # as aiokafka names it
# A bound: a chunk holds what has arrived, so it is small at a low rate and grows with a backlog. Up to 65,000 records
# are read and wait to be folded then; with 5,000 it was 160,000, more objects than the garbage collector leaves alone.
CHUNK_RECORDS = 2_000


class Consumer(driver.Consumer):
    """Delivers chunks, and commits what `Coverage` says is ready."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coverage: dict[TP, Coverage] = {}
        self.changelogs = ChangelogReading()
        self.polled_at = time.monotonic()
        self._held_up: frozenset[int] = frozenset()
        self._nothing_new = 0  # times in a row
        self._moved = False  # since a commit began: something was acknowledged, or needs not to be

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _is_chunked(self, tp: TP) -> bool:
        return tp.topic in self.app.sources

    @Service.task
    async def _commit_handler(self) -> None:
        """Commit what is ready at the interval. Faust's timer costs more than the look that it is for.

        Where nothing has moved, a look at every partition each second is a tenth of what an idle worker costs.
        """
        while not self.should_stop:
            await beat(self.commit_interval)
            if self._moved:
                await self.commit()

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Do nothing, see `verify_all_partitions_active`."""

    # What may be committed

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self._is_chunked(tp):
            await super()._add_gap(tp, offset_from, offset_to)

    def ack(self, message: Any) -> bool:
        if message.generation_id != self.app.consumer_generation_id and self._is_chunked(message.tp):
            return False  # its records come again to whoever owns the partition now
        self._moved = True
        return bool(super().ack(message))

    async def force_commit(self, *args: Any, **kwargs: Any) -> bool:
        self._moved = False
        return bool(await super().force_commit(*args, **kwargs))

    def _new_offset(self, tp: TP) -> int | None:
        if not self._is_chunked(tp):
            offset: int | None = super()._new_offset(tp)
            return offset
        coverage = self._coverage.get(tp)
        if coverage is None:
            return None
        ready = coverage.advance(self._acked_index[tp])
        self._acked_index[tp] = {offset for offset in self._acked_index[tp] if offset >= ready}
        self._acked[tp][:] = sorted(self._acked_index[tp])
        committed = self._committed_offset[tp]
        return ready if ready > (committed or 0) else None

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        before = {tp: self._committed_offset[tp] for tp in offsets}
        try:
            committed = await super()._commit_offsets(offsets, start_new_transaction)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            committed = False  # the consumer's thread ended, and cancelled what it was asked for
        if not committed:  # Faust notes the offsets as committed all the same
            self._committed_offset.update(before)
            self._moved = True
        return bool(committed)

    async def wait_empty(self) -> None:
        """Before partitions go or the worker stops: let the stages flush, forget what they could not."""
        await self.app.drain()
        self._unacked_messages.clear()
        for tp in self._coverage:
            self._acked.setdefault(tp, [])  # so that the commit looks at this partition
        await super().wait_empty()
        await self.commit()  # the one before may only have waited for another that was under way

    # What may be delivered

    def coordination_failure(self) -> BaseException | None:
        """Return what ended this member's part in its group, which aiokafka tells only whoever fetches then."""
        consumer = self._thread._consumer  # noqa: SLF001
        task = consumer and consumer._coordinator._coordination_task  # noqa: SLF001
        return task.exception() if task and task.done() and not task.cancelled() else None

    def topic_partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has; None while that is not known.

        Faust asks for a snapshot that aiokafka keeps in the leader of a group only.
        """
        consumer = self._thread._consumer  # noqa: SLF001
        found = consumer and consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001
        return len(found) if found else None

    def leaderless(self, topics: Collection[str]) -> bool:
        """Whether a partition of `topics` has no leader, as far as is known here: nothing is read of it."""
        return any(
            not self._has_leader(TP(topic, partition))
            for topic in topics
            for partition in range(self.topic_partitions(topic) or 0)
        )

    def _has_leader(self, tp: TP) -> bool:
        """Whether a partition has a leader; True where nothing is known against it."""
        consumer = self._thread._consumer  # noqa: SLF001
        return not consumer or consumer._client.cluster.leader_for_partition(tp) != NO_LEADER  # noqa: SLF001

    def read_to_end(self, topic: str, partition: int) -> tuple[int, bool]:
        """Return a mark that changes with each answer to a fetch, and whether all that it told of is acknowledged."""
        tp = TP(topic, partition)
        mark, end = self._thread.answered(tp)
        coverage = self._coverage.get(tp)
        return mark, coverage is not None and end >= 0 and coverage.advance(self._acked_index[tp]) == end

    def progress(self) -> dict[TP, tuple[int, int]]:
        """Return of each partition of a source up to where it is acknowledged, and the end that was heard of last."""
        ends = {tp: self._thread.answered(tp)[1] for tp in self._coverage}
        return {tp: (self._coverage[tp].ready, end) for tp, end in ends.items() if end >= 0}

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust logs here what stands still, of each partition, and `App` tells that in readiness."""

    def rejoin(self) -> None:
        """Ask for partitions anew."""
        coordinator = self._thread._consumer._coordinator  # noqa: SLF001
        self._thread.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)

    def close(self) -> None:
        """Do nothing: the stop closes.

        Faust calls this when a rebalance comes upon a stop, and closes from a loop that is not the consumer's: that
        fails half-way, the worker never leaves its group, and the group waits for the session's end.
        """

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        if self.app.should_stop:
            await self.wait_empty()  # Faust lets them go at once, while the stop still drains
        for tp, coverage in self._coverage.items():
            coverage.advance(self._acked_index[tp])  # Faust forgets what is acknowledged and not committed yet
        await super().on_partitions_revoked(revoked)
        # Every kept partition is sought again too: until then nothing that is in flight may be delivered.
        self._coverage.clear()
        self._acked_index.clear()
        self._acked.clear()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await self.app.on_assigned(generation_id, {tp.partition for tp in assigned if tp.topic == self.app.source})
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        self._coverage.clear()
        await super().perform_seek()
        tps = [tp for tp in self.assignment() if self._is_chunked(tp)]
        await self._seek_to_kept(tps)
        led = [tp for tp in tps if self._has_leader(tp)]  # nobody answers for others: all of them would wait
        fresh = [tp for tp in led if self._committed_offset[tp] is None]
        first = await self.earliest_offsets(*fresh) if fresh else {}
        for tp in tps:
            self._acked_index[tp].clear()
            self._acked[tp].clear()
            position = self._committed_offset[tp]
            self._coverage[tp] = Coverage(first.get(tp, 0) if position is None else position)
        await self._report_replaced(led)

    async def _seek_to_kept(self, tps: list[TP]) -> None:
        """Go to the positions that the stage's sink keeps, from the beginning where it keeps none."""
        kept = await self.app.kept_positions()
        if kept is None or not tps:
            return
        unknown = [tp for tp in tps if tp not in kept and self._has_leader(tp)]
        first = await self.earliest_offsets(*unknown) if unknown else {}
        positions = {tp: kept.get(tp, first.get(tp, 0)) for tp in tps}
        await self.seek_wait(positions)
        self._committed_offset.update(positions)
        self._read_offset.update(positions)

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        super().pause_partitions(tps)
        self._leave()
        self._thread.call_back()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        super().resume_partitions(tps)
        self._leave()
        self._thread.call_back()

    def stop_flow(self) -> None:
        super().stop_flow()
        self._thread.call_back()

    def resume_flow(self) -> None:
        super().resume_flow()
        self.polled_at = time.monotonic()  # nobody polls while it is stopped
        self._thread.call_back()

    def _leave(self) -> None:
        """Have nothing fetched that is not taken: Faust pauses by leaving it in aiokafka's buffers, 2 MiB of each."""
        held_up = self.app.stage.held_up
        held = (
            {tp for tp in self.assignment() if tp.partition in held_up and self._is_chunked(tp)} if held_up else set()
        )
        self._thread.leave(self._paused_partitions | held)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - as above
        """Leave what the stage cannot take for now where it is: in Kafka."""
        held_up = self.app.stage.held_up
        if held_up != self._held_up:
            self._held_up = held_up
            self._leave()
        if held_up and active_partitions:
            active_partitions = {
                tp for tp in active_partitions if tp.partition not in held_up or not self._is_chunked(tp)
            }
            if not active_partitions:  # aiokafka would take it for all
                await self.sleep(timeout)
                return {}
        return await super()._getmany(active_partitions, timeout)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - as above
        self.polled_at = time.monotonic()
        quiet = self._nothing_new >= QUIET_AFTER and self.app.recovered and not self._held_up
        records, active = await self._wait_next_records(QUIET_WAIT if quiet else timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self._put_back(records)
            return
        passed_over = {}
        self._nothing_new += 1
        for tp in tuple(records):
            batch = records.pop(tp)
            coverage = self._coverage.get(tp)
            if not batch and self.changelogs.passed(tp, batch.start, batch.end):
                self.app.tables.recovery.look_soon()
            if not batch and (coverage is None or batch.end <= coverage.expected):
                continue  # nothing came, and nothing is missing
            self._nothing_new = 0
            if not (active is None or tp in active or tp in self._buffered_partitions):
                passed_over[tp] = batch
                continue
            messages = await self._taken(tp, batch)
            del batch  # its records go when their chunks are folded, not when all of the fetch is
            for message in messages:
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                yield tp, message
        await self._put_back(passed_over)

    async def _taken(self, tp: TP, batch: Fetched) -> list[ConsumerMessage]:
        """Return what is to be delivered: of a changelog nothing, its table has it now."""
        if batch:
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in self.app.tables.changelog_topics:
                await self.app.tables.recovery.take(tp, batch)
                return []
        return await self._messages(tp, batch)

    async def _put_back(self, records: Mapping[TP, Fetched]) -> None:
        """Have records that are not delivered fetched again.

        A fetch that began before a rebalance may bring what the recovery after it has sought already: without this a
        changelog would have a hole, or the recovery would wait for ever.
        """
        lost = {tp: (batch[0].offset, batch.end) for tp, batch in records.items() if batch}
        if lost:
            await self._thread.call_thread(self._thread.put_back, lost)

    async def _messages(self, tp: TP, batch: Fetched) -> list[ConsumerMessage]:
        if not self._is_chunked(tp):
            return [self._to_message(tp, record) for record in batch]
        coverage = self._coverage.get(tp)
        if coverage is None or not self.app.recovered:
            return []  # assigned, but not recovered or not sought yet: these records are fetched again
        expected = coverage.expected
        fresh = (
            [record for record in batch if record.offset >= expected] if batch and batch[0].offset < expected else batch
        )
        first = fresh[0].offset if fresh else batch.end
        if first > expected + 1:  # a single missing offset is a transaction marker
            await self._skip_deleted(tp, coverage, first)
            expected = coverage.expected
        if first > expected and (batch.start is None or batch.start > expected):
            log.info("fetching again what a seek went past", at=tp, expected=expected, first=first)
            with contextlib.suppress(IllegalStateError):  # not ours any more
                await self.seek_wait({tp: expected})
            return []
        if not fresh:
            coverage.skip(max(batch.end, expected))
            self._acked.setdefault(tp, [])  # so that the next commit looks at this partition
            self._moved = True
            return []
        messages = []
        for i in range(0, len(fresh), CHUNK_RECORDS):
            records = fresh[i : i + CHUNK_RECORDS]
            last = records[-1].offset
            more = i + CHUNK_RECORDS < len(fresh)
            number = coverage.deliver(last, last + 1 if more else max(batch.end, last + 1))
            messages.append(self._message(tp, Chunk(tp.topic, tp.partition, records, number)))
        return messages

    def _message(self, tp: TP, chunk: Chunk) -> ConsumerMessage:
        last: Any = chunk.records[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,  # what Faust acknowledges a chunk by
            timestamp=last.timestamp / 1000,
            timestamp_type=last.timestamp_type,
            headers=None,
            key=None,
            value=chunk,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _report_replaced(self, tps: list[TP]) -> None:
        """Tell of a topic that was made again and is shorter now: its records would be skipped in silence."""
        with contextlib.suppress(KafkaError):  # nothing hangs on it
            for tp, end in (await self.highwaters(*tps) if tps else {}).items():
                committed = self._committed_offset[tp]
                if committed is not None and committed > end:
                    advice = "if the topic was replaced, delete the consumer group and the changelog of the stage"
                    log.error("more is committed than there is", at=tp, committed=committed, end=end, advice=advice)

    async def _skip_deleted(self, tp: TP, coverage: Coverage, in_hand: int) -> None:
        """Retention may have removed records before they were read: aiokafka steps over them in silence.

        By now it may also have removed what is in hand, from the offset `in_hand` on: that is not lost.
        """
        expected = coverage.expected
        first = min((await self.earliest_offsets(tp))[tp], in_hand)
        if first > expected:
            LOST.labels(tp.topic).inc(first - expected)
            log.error("records were deleted before they were read", at=tp, lost=first - expected, next=first)
            coverage.skip(first)


class Transport(driver.Transport):
    """`chunked://host:port`."""

    Consumer = Consumer


TRANSPORTS.aliases[SCHEME] = f"{__name__}:{Transport.__name__}"
