"""Kafka's record batches, read whatever their headers are called, and handed out a batch at a time.

A header's name is UTF-8 by convention only: the broker takes any bytes. aiokafka fails at others, and with that the
partition would stand still for good. It also takes each record through four calls in Python, which cost more than
reading it, and makes each header anew, however many records have the same: see `streams.runtime.driver.compiled`.
"""

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords as FastRecords

from streams.runtime.driver import compiled

_LENGTH = struct.Struct(">8xi")  # of what follows: an offset and the length itself come first
_RECORDS = 61  # where they begin in a batch
_UNCOMPRESSED: Mapping[int, Callable[[bytes], bytes]] = {  # as aiokafka does
    DefaultRecordBatch.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: codec.zstd_decode,
}


class MemoryRecords:
    """What a fetch brought of one partition, as aiokafka's `Fetcher` reads it.

    Attributes:
        whole: ask for each batch as one `Run`.
    """

    whole = False

    def __init__(self, data: bytes) -> None:
        self._data, self._records, self._begins = data, FastRecords(data), 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> "Batch":
        begins = self._begins
        self._begins += _LENGTH.size + _LENGTH.unpack_from(self._data, begins)[0]
        return Batch(self._records.next_batch(), memoryview(self._data)[begins : self._begins], whole=self.whole)


class Run(list[Any]):
    """All records of a batch in place of one: `offset` is that of the last."""

    @property
    def offset(self) -> int:
        last: int = self[-1].offset
        return last


class Batch:
    """A batch of aiokafka's. Bytes of a header's name that are no UTF-8 are read as a backslash, x and two digits."""

    def __init__(self, batch: Any, data: memoryview, *, whole: bool = False) -> None:
        self._batch, self._data, self._whole = batch, data, whole
        if isinstance(batch, DefaultRecordBatch):  # what aiokafka asks for of each
            self.base_offset, self.next_offset = batch.base_offset, batch.next_offset
            self.producer_id, self.is_transactional = batch.producer_id, batch.is_transactional
            self.is_control_batch = batch.is_control_batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        if self._whole and (found := self._at_once()) is not None:
            return iter([Run(found)] if found else [])
        try:
            run = Run(self._batch)
        except UnicodeDecodeError:
            run = Run(_leniently(self._data))
        return iter([run] if self._whole and run else run)

    def __next__(self) -> Any:
        return next(self._batch)

    def _at_once(self) -> list[Any] | None:
        """Return the records as they are read in C; None where aiokafka has to."""
        read, batch, data = compiled.records, self._batch, self._data
        if read is None or not isinstance(batch, DefaultRecordBatch):
            return None
        if not (kind := batch.compression_type):
            return read(data, None)
        uncompressed = _UNCOMPRESSED.get(kind)
        return None if uncompressed is None else read(data, uncompressed(data[_RECORDS:].tobytes()))

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


def partition_records(chunked: Collection[str]) -> type[Any]:
    """Return the class of what a fetch brought, which hands out records of `chunked` topics a `Run` at a time."""

    class PartitionRecords(fetcher.PartitionRecords):
        def __init__(self, tp: Any, records: MemoryRecords, *rest: Any) -> None:
            super().__init__(tp, records, *rest)
            self.whole = records.whole = tp.topic in chunked

        def _consumer_record(self, tp: Any, record: Any) -> Any:
            if not self.whole:
                return super()._consumer_record(tp, record)
            wanted: int = self.next_fetch_offset
            return record if record[0].offset >= wanted else Run(one for one in record if one.offset >= wanted)

    return PartitionRecords


class FetchResult(fetcher.FetchResult):
    """Hands out records, as they were read where they come in runs."""

    _partition_records: Any
    _rest: Sequence[Any] = ()  # of a run of which no more were asked for

    def getall(self, max_records: int | None = None) -> list[Any]:
        records = self._partition_records
        if records is None or not records.whole:
            found: list[Any] = super().getall(max_records)
            return found
        if not self.check_assignment(self._topic_partition):
            return []
        found, self._rest = list(self._rest), ()
        if found:
            records.next_fetch_offset = found[-1].offset + 1
        while max_records is None or len(found) < max_records:
            run = next(records, None)
            if run is None:
                self._update_position()
                self._partition_records = None
                return found
            found += run
        if len(found) > max_records:
            self._rest, found = found[max_records:], found[:max_records]
            records.next_fetch_offset = found[-1].offset + 1
        self._update_position()
        return found
