"""Faust's table recovery, saying for which generation it is done.

When a rebalance begins while the recovery of the one before is about to end, Faust resumes all the same, and delivers
records of partitions whose state is not there yet. What a stage must know is whether the partitions that it has *now*
are recovered: `App.recovered` compares the two generations.

What a fetch brings of a changelog goes into the table at once: a record at a time, through Faust's queue and an event
for each, took ten times as long.

It is told last of all, in `App.on_rebalance_end`: Faust resumes the partitions and the flow for reading changelogs, and
then once more at the end, and each time empties the queue between the consumer and the agent.
"""

import asyncio
from typing import Any

import structlog
from faust.tables import manager, recovery
from faust.types import TP

from streams.runtime.driver import store
from streams.runtime.driver.consumer_thread import Fetched
from streams.runtime.slices import others_turn

log = structlog.get_logger()

LOOK_AGAIN = 0.02  # seconds
STEP_TIMEOUT = 30.0  # seconds for one request of a recovery; reading a changelog has no limit


class Recovery(recovery.Recovery):
    ending: int | None = None  # the generation whose recovery is ending
    _looking: asyncio.Handle | None = None
    _until = 0.0  # when everything else has its turn

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109 - Faust's signature
        """Begin recovery again when a step takes too long: Faust takes that for a stop, and recovers never again."""
        try:
            await super()._wait(coro, timeout=None if timeout is None else STEP_TIMEOUT)
        except recovery.ServiceStopped:
            if self.should_stop:
                raise
            log.warning("a step of recovery took too long: beginning again", seconds=STEP_TIMEOUT)
            self.signal_recovery_start.set()
            raise recovery.RebalanceAgain from None

    def _set_recovery_started(self) -> None:
        """Forget that a recovery ended before: the next would be over before it has read anything.

        Faust forgets it with each record that comes through its queue, and none does here.
        """
        self.signal_recovery_end.clear()
        super()._set_recovery_started()

    async def _seek_offsets(self, consumer: Any, tps: Any, offsets: Any, title: str) -> None:
        await super()._seek_offsets(consumer, tps, offsets, title)
        for tp in tps:
            self.app.consumer.changelogs.begin(tp, max(offsets[tp], 0))

    def active_remaining(self) -> Any:
        """Return what is left to read, by partition: nothing, where only markers of transactions are left."""
        remaining = super().active_remaining()
        for tp, left in remaining.items():
            end, applied = self.active_highwaters[tp] + 1, self.active_offsets[tp]
            if left > 0 and self.app.consumer.changelogs.nothing_left(tp, end, applied):
                remaining[tp] = 0
        return remaining

    async def take(self, tp: TP, batch: Fetched) -> None:
        """Put what a fetch brought of a changelog into its table, if it continues what was read.

        A fetch that was under way when a recovery began may bring anything: what it went past is fetched again.
        """
        consumer = self.app.consumer
        position = consumer.changelogs.position(tp)
        if not self.in_recovery or tp not in self.active_tps or position is None:
            return  # read anew when it is wanted
        if batch.start is None or batch.start > position:
            await consumer.seek_wait({tp: position})
            return
        seen, last, data = self.active_offsets[tp], batch[-1].offset, self.tp_to_table[tp].data
        if seen is None or last > seen:
            seen = -1 if seen is None else seen
            store.keep(data, [(tp.partition, each.key, each.value) for each in batch if each.offset > seen])
            store.set_persisted(data, tp.topic, tp.partition, last)
            self.active_offsets[tp] = last
        consumer.changelogs.passed(tp, batch.start, batch.end, last=last)
        self.look_soon()
        self._until = await others_turn(self._until)  # a fetch may bring much, and of many partitions

    def kept(self, tp: TP, offset: int) -> None:
        """Note that a table has what was written to its changelog, up to an offset.

        So a partition that stays in a rebalance is not read again, only what others have written to it since.
        """
        if tp in self.active_tps and not self.in_recovery:
            self.active_offsets[tp] = max(offset, self.active_offsets[tp] or 0)

    def look_soon(self) -> None:
        """Look once, whatever a fetch brought of how many partitions: a look is at all of them."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looking = None
        self.look()

    def look(self) -> None:
        """See whether the changelogs are restored. Where the last record is missing, Faust would wait for it."""
        if not self.in_recovery or self.need_recovery():
            return
        if self.signal_recovery_end._waiters:  # noqa: SLF001 - told earlier, it would be forgotten
            self.flush_buffers()
            self._set_recovery_ended()
            self.signal_recovery_end.set()
        else:
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self.look)

    async def _resume_streams(self, generation_id: int = 0) -> None:  # of a stage without tables
        self.ending = generation_id
        await super()._resume_streams(generation_id)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        await self.app.take_up(generation_id)
        self.ending = generation_id
        await super().on_recovery_completed(generation_id)


class TableManager(manager.TableManager):
    """As Faust's, with our `Recovery`; starts at once instead of after a second."""

    _recovery: Recovery | None

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()
