"""Faust's table recovery, saying for which generation it is done.

When a rebalance begins while the recovery of the one before is about to end, Faust resumes all the same, and delivers
records of partitions whose state is not there yet. What a stage must know is whether the partitions that it has *now*
are recovered: `App.recovered` compares the two generations.

It is told last of all, in `App.on_rebalance_end`: Faust resumes the partitions and the flow for reading changelogs, and
then once more at the end, and each time empties the queue between the consumer and the agent.
"""

from typing import Any

import structlog
from faust.tables import manager, recovery

log = structlog.get_logger()

STEP_TIMEOUT = 30.0  # seconds for one request of a recovery; reading a changelog has no limit


class Recovery(recovery.Recovery):
    ending: int | None = None  # the generation whose recovery is ending

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

    def look(self) -> None:
        """See whether a changelog is restored that ended without a record: Faust looks after each record."""
        waited_for = self.signal_recovery_end._waiters  # noqa: SLF001 - told earlier, it would be forgotten
        if self.in_recovery and waited_for and not self.need_recovery():
            self.flush_buffers()
            self._set_recovery_ended()
            self.signal_recovery_end.set()

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
