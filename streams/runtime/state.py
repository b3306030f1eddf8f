"""Effectively-once state: what a stage keeps, in a Faust table, safe against `kill -9` at any moment.

The guarantee is built from three rules that every stage follows by using this module and `streams.runtime.stage`:

* each record carries the position of the raw frame it came from, and each stored value the positions folded into it,
  so that a replayed record is known and skipped;
* what a flush writes goes out in the order *state, outputs, seal*, each acknowledged by the broker before the next, and
  one partition's changelog is one ordered log, so that what a kill leaves behind is always a prefix;
* source offsets are committed only after that.

Changelog records go through the `Publisher` (idempotent, awaited: Faust's own table writes are neither, and cost 175 µs
each) and reach the table when the broker has them. Recovery is Faust's.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import structlog
from prometheus_client import Gauge

from connectors.errors import TimedOutError
from schemas.envelope import Outgoing
from streams.core.contract import Change, Flush
from streams.core.state_format import KEY, StateFormat, Stored
from streams.core.steps import Steps, finish
from streams.runtime.driver import store
from streams.runtime.errors import WithdrawnError
from streams.runtime.lease import Lease
from streams.runtime.slices import in_slices

log = structlog.get_logger(component="state")

AT_A_TIME = 256  # values that are loaded in one step
AGAIN_AFTER = 0.5  # seconds, after which rows that came too late are published again

KEYS = Gauge("cxone_state_keys", "Keys that are stored of this worker's partitions.", ["changelog"])


class Publisher(Protocol):
    """What the state needs of `connectors.kafka.publisher.Publisher`."""

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]: ...


class TableState:
    """The stored values of a stage, by source partition.

    Each taking over of partitions begins an epoch, and a value is stored under `partition|epoch|key`: of several, the
    newest epoch's counts. What a suspended worker had queued when it lost its partitions can therefore still reach the
    changelog without going over what its successor has written. An epoch is the newest stored one and the group's
    generation together: two owners that found the same stored, the first having written nothing yet, have two epochs.
    """

    def __init__(
        self,
        table: Any,
        publisher: Publisher,
        lease: Lease,
        form: Callable[[], StateFormat] | None = None,
        *,
        rows: Publisher | None = None,
    ) -> None:
        """`form` says what is expected of stored state when partitions are taken over; without, anything is read.

        `rows` publishes the outputs, if not `publisher`: it may give up what it could not deliver in time.
        """
        self._table = table
        self._form = form
        self._owed: dict[int, list[Change]] = {}  # partition -> what has to be written before anything else
        self._publisher, self._rows = publisher, rows or publisher
        self._lease = lease
        self._epochs: dict[int, int] = {}  # partition -> what this worker writes under
        self._stored: dict[int, dict[bytes, int]] = {}  # partition -> {key: epoch of its value}
        self._outlived: dict[int, list[bytes]] = {}  # partition -> table keys of earlier epochs that do not count

    def epoch(self, partition: int) -> int:
        """Return the number under which this worker stores what it has of a partition: its own, no other's."""
        return self._epochs.get(partition, 1)

    def load(self, partitions: Collection[int], generation: int) -> dict[int, Stored]:
        """Do at once what `loading` does."""
        return finish(self.loading(partitions, generation))

    def loading(self, partitions: Collection[int], generation: int) -> Steps[dict[int, Stored]]:
        """Begin an epoch; return what recovery restored of `partitions`, {partition: {key: value}}; forget the others.

        They belong to another worker now, who changes them: kept here they would be stale when they come back. RocksDB
        keeps them: it remembers how far each is restored, and what is deleted here would not be read again.

        Raises:
            StateRefusedError: what is stored must not be gone on with.
        """
        local = self._table.data
        found: dict[int, dict[bytes, bytes]] = {partition: {} for partition in partitions}
        epochs: dict[int, dict[bytes, int]] = {partition: {} for partition in partitions}
        outlived: dict[int, list[bytes]] = {partition: [] for partition in partitions}
        newest = dict.fromkeys(partitions, 0)
        others: list[bytes] = []
        items, prefix, partition, epoch = store.items(local), b"|", -1, 0
        while some := list(islice(items, AT_A_TIME)):
            new: list[tuple[int, bytes, bytes]] = []
            for table_key, value in some:
                if not table_key.startswith(prefix):  # else of the partition and epoch of the one before, as most are
                    digits, of_epoch, _ = table_key.split(b"|", 2)
                    prefix, partition, epoch = b"%b|%b|" % (digits, of_epoch), int(digits), int(of_epoch)
                    newest[partition] = max(newest.get(partition, 0), epoch)
                own = epochs.get(partition)
                if own is None:
                    others.append(table_key)
                    continue
                key = table_key[len(prefix) :]
                before = own.setdefault(key, epoch)
                if before > epoch:
                    outlived[partition].append(table_key)
                    continue
                if before != epoch:
                    outlived[partition].append(_table_key(partition, before, key))
                    own[key] = epoch
                new.append((partition, key, value))
            yield  # a dict of many keys takes long to grow: let no two do so in one step
            for of, key, value in new:
                found[of][key] = value
            yield
        yield from self._drop(others)
        self._stored, self._outlived = epochs, outlived
        self._epochs = {partition: newest[partition] + generation for partition in partitions}
        KEYS.labels(self._table.changelog_topic_name).set_function(self._keys)
        return (yield from self._reading(found))

    def _drop(self, table_keys: Iterable[bytes]) -> Steps[None]:
        local = self._table.data
        if store.is_rocksdb(local):
            return
        for number, table_key in enumerate(table_keys):
            local.pop(table_key, None)
            if not number % AT_A_TIME:
                yield

    def _keys(self) -> int:
        return sum(map(len, self._stored.values()))

    def _reading(self, found: Mapping[int, dict[bytes, bytes]]) -> Steps[dict[int, Stored]]:
        if self._form is None:
            return dict(found)
        form, read, self._owed = self._form(), dict[int, Stored](), {}
        for partition, stored in found.items():
            own = stored.pop(KEY, None)
            read[partition] = form.read(stored, own)
            self._owed[partition] = form.changes(stored, own, read[partition])
            yield
        return read

    async def deliver(self, flushes: Mapping[int, Flush]) -> Mapping[tuple[str, int], int]:
        """Write flushes of several partitions; return when the broker has everything.

        Returns the last offset of the outputs by topic and partition.

        Raises:
            PublishError: the broker refused a record. Nothing may be acknowledged.
            SuspendedError: the partitions may be another worker's. Nothing may be acknowledged.
            WithdrawnError: they were taken over anew meanwhile. Nothing may be acknowledged.
        """
        self._pay(flushes)
        epochs = self._epochs
        await self._store((partition, change) for partition, flush in flushes.items() for change in flush.state)
        offsets = await self._publish_rows([output for flush in flushes.values() for output in flush.outputs])
        self._check_since(epochs)
        await self._store((partition, change) for partition, flush in flushes.items() for change in flush.seal)
        return offsets

    def _check_since(self, epochs: Mapping[int, int]) -> None:
        """Raise unless what is being written belongs to the epochs of now: under new ones it would pass for newer."""
        if self._epochs is not epochs:
            raise WithdrawnError

    def _pay(self, flushes: Mapping[int, Flush]) -> None:
        """Put before what flushes store what has to be stored before that."""
        for partition, flush in flushes.items():
            if flush.state or flush.seal:
                flush.state[:0] = self._owed.pop(partition, ())

    async def _store(
        self, changes: Iterable[tuple[int, Change]], beside: Sequence[Outgoing] = ()
    ) -> Mapping[tuple[str, int], int]:
        """Publish changes, and records `beside` them; then keep the changes. Returns the last offsets."""
        topic, epochs = self._table.changelog_topic_name, self._epochs
        records, placed = list(beside), list[tuple[int, bytes, bytes | None]]()
        async for some in in_slices(changes):
            self._check_since(epochs)
            new = [each for partition, change in some for each in self._place(partition, change)]
            records += [Outgoing(topic, key, value, (), partition) for partition, key, value in new]
            placed += new
        offsets = await self._publish(records)
        async for written in in_slices(placed):
            self._lease.check()
            self._check_since(epochs)
            store.keep(self._table.data, written)
        for (of, partition), offset in offsets.items():
            if of == topic:
                store.note_kept(self._table, topic, partition, offset)
        return offsets

    async def _publish_rows(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]:
        """Publish records that go over earlier ones, again and again while the lease is held."""
        epochs = self._epochs
        while True:
            try:
                return await self._publish(records, self._rows)
            except TimedOutError as late:  # a partition takes nothing for now; the same again changes nothing
                log.warning("publishing again", reason=str(late))
                await asyncio.sleep(AGAIN_AFTER)
                self._check_since(epochs)  # another lease than that which they were computed under allows nothing

    async def _publish(
        self, records: Sequence[Outgoing], publisher: Publisher | None = None
    ) -> Mapping[tuple[str, int], int]:
        self._lease.check()
        try:
            offsets = await (publisher or self._publisher).publish(records)
        except Exception:
            self._lease.check()  # records were given up: the lease is why
            raise
        self._lease.check()
        return offsets

    def _place(self, partition: int, change: Change) -> Iterator[tuple[int, bytes, bytes | None]]:
        """Yield (partition, table key, value) of a change: its value under this epoch, then what that replaces."""
        epoch = self._epochs.get(partition, 1)
        if change.value is not None:
            yield partition, _table_key(partition, epoch, change.key), change.value
        epochs = self._stored.setdefault(partition, {})
        before = epochs.pop(change.key, None)
        if before is not None and (change.value is None or before != epoch):
            yield partition, _table_key(partition, before, change.key), None
        if change.value is not None:
            epochs[change.key] = epoch
        for outlived in self._outlived.pop(partition, ()):
            yield partition, outlived, None


def _table_key(partition: int, epoch: int, key: bytes) -> bytes:
    return b"%d|%d|%b" % (partition, epoch, key)
