"""What is read of batches whose headers are called anything."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition

from streams.runtime.driver.record_batches import Batch, FetchResult, MemoryRecords, partition_records

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


class Assignment:
    """One partition that is assigned, and where its consumer is."""

    active = paused = True

    def __init__(self, position: int) -> None:
        self.position, self.paused = position, False

    def state_value(self, _tp: object) -> "Assignment":
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def result(data: bytes, assignment: Assignment, *, chunked: bool, aborted: Sequence[tuple[int, int]] = ()) -> Any:
    tp = TopicPartition("topic", 0)
    topics = {"topic"} if chunked else set[str]()
    records = partition_records(topics)(
        tp, MemoryRecords(data), list(aborted), assignment.position, None, None, True, READ_COMMITTED
    )
    return FetchResult(tp, assignment=assignment, partition_records=records, backoff=0)


def test_batches_go_out_whole_as_aiokafka_hands_out_their_records_one_by_one() -> None:
    for begin in range(9):
        for most in (None, *range(1, 11)):
            data, seen = batch(0) + batch(3, codec=LZ4) + batch(6), []
            for chunked in (True, False):
                place, steps = Assignment(begin), []
                fetched = result(data, place, chunked=chunked)
                while fetched.has_more():
                    found = fetched.getall(most)
                    steps.append(([(one.offset, one.value) for one in found], place.position))
                seen.append(steps)
            assert seen[0] == seen[1], (begin, most)


def test_nothing_goes_out_after_a_seek_and_what_was_left_is_forgotten() -> None:
    place = Assignment(0)
    fetched = result(batch(0) + batch(3), place, chunked=True)
    assert [one.offset for one in fetched.getall(2)] == [0, 1]
    place.position = 1

    assert (fetched.getall(2), fetched.has_more()) == ([], False)
    assert place.position == 1


def test_a_broken_batch_takes_nothing_with_it() -> None:
    broken = bytearray(batch(3))
    broken[-1] ^= 1
    place = Assignment(0)
    fetched = result(batch(0) + bytes(broken), place, chunked=True)

    with pytest.raises(CorruptRecordException):
        fetched.getall()
    assert place.position == 0
    assert (fetched.getall(), place.position) == ([], 0), "fetched again from where it was"


def test_aborted_records_are_passed_over() -> None:
    builder = _DefaultRecordBatchBuilderPy(2, NONE, 1, 7, 0, 0, 1_000_000)
    builder.append(0, 1000, b"key", b"aborted", [])
    place = Assignment(0)
    fetched = result(bytes(builder.build()) + batch(1), place, chunked=True, aborted=[(7, 0)])

    assert [one.offset for one in fetched.getall()] == [1, 2, 3]
    assert place.position == 4
