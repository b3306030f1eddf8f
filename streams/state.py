"""Effectively-once state: what a stage keeps, in a Faust table, safe against `kill -9` at any moment.

The guarantee is built from three rules that every stage follows by using this module and `streams.stage`:

* each record carries the position of the raw frame it came from, and each stored value the positions folded into it,
  so that a replayed record is known and skipped;
* what a flush writes goes out in the order *state, outputs, seal*, each acknowledged by the broker before the next, and
  one partition's changelog is one ordered log, so that what a kill leaves behind is always a prefix;
* source offsets are committed only after that.

Changelog records go through the `Publisher` (idempotent, awaited: Faust's own table writes are neither, and cost 175 µs
each) and reach the table when the broker has them. Recovery is Faust's.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from faust.types import TP

from schemas.records import Outgoing
from streams.lease import Lease


class Publisher(Protocol):
    """What the state needs of `connectors.publisher.Publisher`."""

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """A value to store; None deletes."""

    key: bytes
    value: bytes | None


@dataclass(slots=True)
class Flush:
    """What one partition has to write, in this order: state, then outputs, then the seal on both."""

    state: list[Change] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    seal: list[Change] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.state or self.outputs or self.seal)


class TableState:
    """The stored values of a stage, by source partition."""

    def __init__(self, table: Any, publisher: Publisher, lease: Lease) -> None:
        self._table = table
        self._publisher = publisher
        self._lease = lease

    def load(self, partitions: Collection[int]) -> dict[int, dict[bytes, bytes]]:
        """Return what recovery restored of `partitions`, {partition: {key: value}}; forget the others.

        They belong to another worker now, who changes them: kept here they would be stale when they come back. RocksDB
        keeps them: it remembers how far each is restored, and what is deleted here would not be read again.
        """
        store = self._table.data
        found: dict[int, dict[bytes, bytes]] = {partition: {} for partition in partitions}
        for prefixed, value in list(store.items()):
            prefix, _, key = prefixed.partition(b"|")
            partition = int(prefix)
            if partition in found:
                found[partition][key] = value
            elif not _is_rocksdb(store):
                store.pop(prefixed)
        return found

    async def deliver(self, flushes: Mapping[int, Flush]) -> None:
        """Write flushes of several partitions; return when the broker has everything.

        Raises:
            PublishError: the broker refused a record. Nothing may be acknowledged.
            SuspendedError: the partitions may be another worker's. Nothing may be acknowledged.
        """
        await self._store((partition, change) for partition, flush in flushes.items() for change in flush.state)
        self._lease.check()
        await self._publisher.publish([output for flush in flushes.values() for output in flush.outputs])
        await self._store((partition, change) for partition, flush in flushes.items() for change in flush.seal)

    async def _store(self, changes: Iterable[tuple[int, Change]]) -> None:
        placed = [(partition, b"%d|%b" % (partition, change.key), change.value) for partition, change in changes]
        topic = self._table.changelog_topic_name
        self._lease.check()
        offsets = await self._publisher.publish([Outgoing(topic, key, value, (), p) for p, key, value in placed])
        for partition, key, value in placed:
            self._keep(partition, key, value)
        for (_, partition), offset in offsets.items():
            self._table.data.set_persisted_offset(TP(topic, partition), offset)

    def _keep(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write to the table's local store. Faust's own writes want to run inside a stream's iteration."""
        store = self._table.data
        if _is_rocksdb(store):  # one database for each partition
            database = store._db_for_partition(partition)  # noqa: SLF001
            if value is None:
                database.delete(key)
            else:
                database.put(key, value)
        elif value is None:
            store.pop(key, None)
        else:
            store[key] = value


def _is_rocksdb(store: Any) -> bool:
    return hasattr(store, "_db_for_partition")
