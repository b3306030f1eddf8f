"""A Faust table's local store, in memory or RocksDB."""

import asyncio
import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from collections.abc import Set as AbstractSet
from typing import Any

from faust.types import TP

with contextlib.suppress(ImportError):  # an extra
    import rocksdb  # type: ignore[import-untyped]

STALE = 12 * 3600.0  # seconds without a write
OPENED_AT_A_TIME = 4  # databases: mostly the disk is waited for
# Of each partition's database. Faust's own values are those of a server with one: 64 MiB of writes in memory, thrice
# over, and 2 GiB of cache, for values that are read once, when partitions are taken up.
ROCKSDB: dict[str, object] = {
    "write_buffer_size": 4 << 20,  # with 2, a write took up to 33 ms, with 4 it took 6
    "max_write_buffer_number": 2,
    "block_cache_size": 1 << 20,
    "block_cache_compressed_size": 1 << 20,
    "avoid_flush_during_recovery": True,  # of what a kill left in the log: opening waits for the disk less
    "skip_stats_update_on_db_open": True,
    "max_log_file_size": 1 << 20,
    "keep_log_file_num": 1,  # each opening began another, up to 1,000
}


def make_table(app: Any, name: str) -> Any:
    """Return a table of bytes by bytes whose store takes a bounded part of the memory for each partition."""
    return app.Table(name, key_type=bytes, value_type=bytes, options=dict(ROCKSDB))  # Faust takes from it


def discard_stale(store: Any, partitions: Collection[int], now: float) -> None:
    """Remove what RocksDB kept of partitions that another worker had for long; `now` in seconds since the epoch.

    Kafka forgets a deletion after a day (`delete.retention.ms`): a database that has not read it by then would bring
    the value back. Without one the changelog is read from its beginning.
    """
    if not is_rocksdb(store):
        return
    for partition in partitions:
        folder = store.partition_path(partition)
        if partition in store._dbs or not folder.exists():  # noqa: SLF001 - open: it was ours all along
            continue
        if now - max(file.stat().st_mtime for file in (folder, *folder.iterdir())) > STALE:
            shutil.rmtree(folder)


async def open_beside(store: Any, partitions: AbstractSet[int]) -> None:
    """Open the databases of partitions in threads: after a kill that reads a log anew, where Faust holds up the loop.

    What cannot be opened is left to Faust, who tries again for a while and says what is wrong.
    """
    if not is_rocksdb(store):
        return
    left = iter(sorted(partitions - store._dbs.keys()))  # noqa: SLF001

    async def open_some() -> None:
        for partition in left:
            with contextlib.suppress(Exception):
                store._dbs[partition] = await asyncio.to_thread(store._open_for_partition, partition)  # noqa: SLF001

    await asyncio.gather(*(open_some() for _ in range(OPENED_AT_A_TIME)))


def is_rocksdb(store: Any) -> bool:
    return hasattr(store, "_db_for_partition")


def items(store: Any) -> Iterator[tuple[bytes, bytes]]:
    """Yield what is in a local store, whatever is written meanwhile."""
    if is_rocksdb(store):
        yield from store._iteritems()  # noqa: SLF001 - `items` decodes each: bytes to bytes, for half of what it takes
        return
    data = _data(store)
    for key in list(data):  # a list of pairs would be many objects, for the garbage collector to look at all at once
        if (value := data.get(key)) is not None:
            yield key, value


def keep(store: Any, changes: Iterable[tuple[int, bytes, bytes | None]]) -> None:
    """Write (partition, key, value) to a local store; None deletes.

    Faust's own writes want to run inside a stream's iteration.
    """
    if not is_rocksdb(store):
        _keep_in_memory(_data(store), changes)
        return
    batches: dict[int, Any] = {}  # one database for each partition
    for partition, key, value in changes:
        batch = batches.get(partition)
        if batch is None:
            batch = batches[partition] = rocksdb.WriteBatch()
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    for partition, batch in batches.items():
        store._db_for_partition(partition).write(batch)  # noqa: SLF001


def _data(store: Any) -> MutableMapping[bytes, bytes]:
    """Return what is in Faust's wrapper, which takes longer than what it wraps."""
    data: MutableMapping[bytes, bytes] = getattr(store, "data", store)
    return data


def _keep_in_memory(data: MutableMapping[bytes, bytes], changes: Iterable[tuple[int, bytes, bytes | None]]) -> None:
    for _, key, value in changes:
        if value is None:
            data.pop(key, None)
        else:
            data[key] = value


def set_persisted(store: Any, topic: str, partition: int, offset: int) -> None:
    """Note up to which offset of its changelog a local store has come."""
    store.set_persisted_offset(TP(topic, partition), offset)


def note_kept(table: Any, topic: str, partition: int, offset: int) -> None:
    """Note that a table has what was written to its changelog, up to an offset, so that it is not read again."""
    set_persisted(table.data, topic, partition, offset)
    table.app.tables.recovery.kept(TP(topic, partition), offset)
