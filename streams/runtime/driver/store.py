"""A Faust table's local store, in memory or RocksDB."""

import shutil
from collections.abc import Collection
from typing import Any

from faust.types import TP

STALE = 12 * 3600.0  # seconds without a write


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


def is_rocksdb(store: Any) -> bool:
    return hasattr(store, "_db_for_partition")


def keep(store: Any, partition: int, key: bytes, value: bytes | None) -> None:
    """Write to a local store; None deletes. Faust's own writes want to run inside a stream's iteration."""
    if is_rocksdb(store):  # one database for each partition
        database = store._db_for_partition(partition)  # noqa: SLF001
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)
    elif value is None:
        store.pop(key, None)
    else:
        store[key] = value


def set_persisted(store: Any, topic: str, partition: int, offset: int) -> None:
    """Note up to which offset of its changelog a local store has come."""
    store.set_persisted_offset(TP(topic, partition), offset)
