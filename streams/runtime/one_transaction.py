"""State that is written together with the outputs it stands for: each flush is one Kafka transaction.

Readers of committed records see each output once, whatever is killed: a flush is there with its seal or not at all. Two
rules make that hold.

* Whoever takes over partitions waits for what the one before left open (`driver.consumer_thread`): it may be committed
  yet. A killed worker's transaction ends after its timeout at the latest.
* The lease is checked when Kafka has the records and before the commit. A worker that was cut off for so long that its
  partitions are another's aborts; one that still held them then had its records there before the other looked.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from connectors.errors import AbortedError, PublishError
from schemas.envelope import Outgoing
from streams.core.contract import Flush
from streams.core.state_format import StateFormat
from streams.runtime.lease import Lease
from streams.runtime.state import TableState

log = structlog.get_logger(component="one transaction")

AGAIN_AFTER = 0.5  # seconds between an abort and the next try


class Transactions(Protocol):
    """What the state needs of `connectors.kafka.transactions.TransactionalPublisher`."""

    @property
    def times_given_up(self) -> int: ...

    async def publish(
        self, records: Sequence[Outgoing], before_commit: Callable[[], None] | None = None
    ) -> Mapping[tuple[str, int], int]: ...


class _Checked:
    """A publisher whose records are committed while the lease is held, however often that has to be tried."""

    def __init__(self, transactions: Transactions, lease: Lease) -> None:
        self._transactions, self._lease = transactions, lease

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        before = self._transactions.times_given_up
        while True:
            try:
                return await self._transactions.publish(records, self._lease.check)
            except AbortedError as aborted:  # nothing of it will be seen: it can be written again
                self._lease.check()
                log.warning("writing again", reason=str(aborted))
            await asyncio.sleep(AGAIN_AFTER)
            if self._transactions.times_given_up != before:
                raise PublishError("given up")


class TransactionalState(TableState):
    """A `TableState` that writes what a flush has (state, outputs, seal) in one transaction."""

    def __init__(
        self, table: Any, transactions: Transactions, lease: Lease, form: Callable[[], StateFormat] | None = None
    ) -> None:
        super().__init__(table, _Checked(transactions, lease), lease, form)

    async def deliver(self, flushes: Mapping[int, Flush]) -> Mapping[tuple[str, int], int]:
        """Write flushes of several partitions; return when they are committed, all or nothing.

        Returns the last offsets of what was written by topic and partition.

        Raises:
            PublishError: it is not known whether they are. Nothing may be acknowledged, or written after them.
            SuspendedError: the partitions may be another worker's. Nothing is written.
        """
        self._pay(flushes)
        changes = [
            (partition, change) for partition, flush in flushes.items() for change in (*flush.state, *flush.seal)
        ]
        return await self._store(changes, [output for flush in flushes.values() for output in flush.outputs])
