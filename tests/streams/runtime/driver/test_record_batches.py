"""What is read of batches whose headers are called anything."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.runtime.driver.record_batches import Batch, MemoryRecords

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)


class Name(str):
    """A header's name of any bytes: what clients that do not look at them send."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xffname\xfe"


def batch(first: int, *headers: tuple[str, bytes], codec: int = NONE) -> bytes:
    """Three records from offset `first` on, the second with `headers`."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1_000_000)
    for n in range(3):
        builder.append(n, 1000 + n, b"key", b"value" * 100, list(headers) if n == 1 else [])
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8, "big")
    return bytes(built)


def read(data: bytes) -> list[Any]:
    records, found = MemoryRecords(data), []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += list(one)
    return found


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_name_that_is_no_text_stops_nothing(codec: int) -> None:
    data = batch(0) + batch(3, (Name(), b"1"), ("ünï", b"2"), codec=codec) + batch(6, ("usual", b"3"))

    found = read(data)

    assert [record.offset for record in found] == list(range(9))
    assert {(record.key, record.value) for record in found} == {(b"key", b"value" * 100)}
    assert [record.timestamp for record in found] == [1000, 1001, 1002] * 3
    assert [list(record.headers) for record in found if record.headers] == [
        [("\\xffname\\xfe", b"1"), ("ünï", b"2")],
        [("usual", b"3")],
    ]


def test_what_aiokafka_asks_of_a_batch_is_there() -> None:
    one = MemoryRecords(batch(7)).next_batch()

    assert (one.base_offset, one.next_offset, one.is_control_batch, one.is_transactional) == (7, 10, False, False)
    assert next(one).offset == 7


def test_a_part_of_a_batch_at_the_end_is_left_for_the_next_fetch() -> None:
    assert [record.offset for record in read(batch(0) + batch(3)[:-10])] == [0, 1, 2]


@pytest.mark.parametrize(
    ("right", "control", "crc", "taken"),
    [(True, False, 7, True), (False, False, 0, False), (False, True, 7, False), (False, True, 0, True)],
)
def test_only_a_marker_of_a_transaction_may_come_without_a_checksum(
    right: bool, control: bool, crc: int, taken: bool
) -> None:
    batch = SimpleNamespace(validate_crc=lambda: right, is_control_batch=control, crc=crc)

    assert Batch(batch, memoryview(b"")).validate_crc() is taken
