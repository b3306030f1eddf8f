"""Kafka's record batches, read whatever their headers are called.

A header's name is UTF-8 by convention only: the broker takes any bytes. aiokafka fails at others, and with that the
partition would stand still for good.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords as FastRecords

_LENGTH = struct.Struct(">8xi")  # of what follows: an offset and the length itself come first


class MemoryRecords:
    """What a fetch brought of one partition, as aiokafka's `Fetcher` reads it."""

    def __init__(self, data: bytes) -> None:
        self._data, self._records, self._begins = data, FastRecords(data), 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> "Batch":
        begins = self._begins
        self._begins += _LENGTH.size + _LENGTH.unpack_from(self._data, begins)[0]
        return Batch(self._records.next_batch(), memoryview(self._data)[begins : self._begins])


class Batch:
    """A batch of aiokafka's. Bytes of a header's name that are no UTF-8 are read as a backslash, x and two digits."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(_leniently(self._data))

    def __next__(self) -> Any:
        return next(self._batch)

    def validate_crc(self) -> bool:
        """Whether it came as it was written. The embedded broker gives none to the markers of transactions."""
        return bool(self._batch.validate_crc()) or (self._batch.is_control_batch and self._batch.crc == 0)


def _leniently(data: memoryview) -> list[Any]:
    batch = _DefaultRecordBatchPy(data)
    batch._maybe_uncompress()  # noqa: SLF001 - it reads its records out of this buffer
    batch._buffer = _Lenient(batch._buffer)  # noqa: SLF001
    return list(batch)


class _Lenient(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
