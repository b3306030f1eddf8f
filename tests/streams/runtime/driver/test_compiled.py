"""What is compiled reads of a batch what aiokafka does, or nothing; and it does read what is usual."""

import gc
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import codec
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords as Aiokafkas
from hypothesis import event, given
from hypothesis import strategies as st

from streams.runtime.driver import compiled
from streams.runtime.driver.record_batches import MemoryRecords

pytestmark = pytest.mark.skipif(not compiled.IS_BUILT, reason="what is compiled was not built: no C compiler")

NONE, GZIP, SNAPPY, LZ4, ZSTD = CODECS = range(5)
UNCOMPRESS: dict[int, Any] = dict(
    enumerate((bytes, codec.gzip_decode, codec.snappy_decode, codec.lz4_decode, codec.zstd_decode))
)
ATTRIBUTES, MAX_TIMESTAMP, COUNT, RECORDS = 22, 35, 57, 61  # where they are in a batch
LOG_APPEND_TIME, CONTROL = 0x08, 0x20

Given = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]  # timestamp, key, value, headers

nullable = st.none() | st.binary(max_size=40) | st.just(b"value" * 100)
names = st.sampled_from(["cxone-source", "cxone-log-time", "ünï", ""]) | st.text(max_size=70)
headers = st.lists(st.tuples(names, st.sampled_from([None, b"", b"1", b"interactions:5f0c"]) | nullable), max_size=5)
timestamps = st.sampled_from([0, 1_768_564_800_000]) | st.integers(0, 2**62)
records = st.lists(st.tuples(timestamps, nullable, nullable, headers), min_size=1, max_size=8)


def built(given_: Sequence[Given], *, kind: int = NONE, base: int = 0, log_append_time: int | None = None) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, kind, 0, -1, -1, -1, 10_000_000)
    for number, (timestamp, key, value, its_headers) in enumerate(given_):
        builder.append(number, timestamp, key, value, its_headers)
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")
    if log_append_time is not None:
        data[ATTRIBUTES] |= LOG_APPEND_TIME
        data[MAX_TIMESTAMP : MAX_TIMESTAMP + 8] = log_append_time.to_bytes(8, "big")
    return bytes(data)


def read(data: bytes) -> list[Any] | None:
    assert compiled.records is not None
    kind = data[ATTRIBUTES] & 7  # what would be larger is not compressed
    return compiled.records(memoryview(data), UNCOMPRESS[kind](data[RECORDS:]) if kind else None)


def plain(found: Sequence[Any]) -> list[tuple[object, ...]]:
    return [
        (each.offset, each.timestamp, each.timestamp_type, each.key, each.value, tuple(each.headers)) for each in found
    ]


def by_aiokafka(data: bytes) -> list[tuple[object, ...]]:
    return plain(list(Aiokafkas(data).next_batch()))


@given(records, st.sampled_from(CODECS), st.integers(0, 2**62), st.none() | timestamps)
def test_any_batch_is_read_as_aiokafka_reads_it(
    given_: list[Given], kind: int, base: int, log_append_time: int | None
) -> None:
    data = built(given_, kind=kind, base=base, log_append_time=log_append_time)

    found = read(data)

    event(f"codec {data[ATTRIBUTES] & 7}")
    assert found is not None
    assert plain(found) == by_aiokafka(data)


@given(records, st.sampled_from(CODECS), st.booleans())
def test_a_batch_goes_out_whole_with_it_as_without(given_: list[Given], kind: int, built_: bool) -> None:
    data, found = built(given_, kind=kind), MemoryRecords(built(given_, kind=kind))
    found.whole = True
    with pytest.MonkeyPatch.context() as patched:
        if not built_:
            patched.setattr(compiled, "records", None)
        batch = found.next_batch()
        assert batch.validate_crc()
        (run,) = batch

    assert plain(run) == by_aiokafka(data)
    assert run.offset == len(given_) - 1


@given(records, st.data())
def test_of_any_bytes_it_is_answered_what_aiokafka_reads_or_nothing(given_: list[Given], data: st.DataObject) -> None:
    changed = bytearray(built(given_))
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    kept = data.draw(st.just(len(changed)) | st.integers(0, len(changed)))
    changed = changed[:kept] + data.draw(st.just(b"") | st.binary(max_size=3))

    assert compiled.records is not None
    found = compiled.records(memoryview(changed), None)

    event("answered" if found is not None else "left to aiokafka")
    if found is not None:
        assert plain(found) == plain(list(_DefaultRecordBatchPy(changed)))


def test_headers_that_are_those_of_the_record_before_are_not_made_again() -> None:
    same: list[tuple[str, bytes | None]] = [("source", b"interactions:5f0c"), ("at", b"1")]
    other: list[tuple[str, bytes | None]] = [("source", b"interactions:5f0c"), ("at", b"2")]
    found = read(built([(0, b"k", b"v", each) for each in (same, same, other, other[:1], [], [], other)]))

    assert found is not None
    first, again, second, shorter, none, still_none, _ = (record.headers for record in found)
    assert first is again
    assert second[0] is first[0] is shorter[0]
    assert second[1][0] is first[1][0]
    assert second == tuple(other)
    assert none is still_none


def varint(number: int) -> bytes:
    found, left = bytearray(), number << 1 ^ number >> 63
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*found, left))


def record(*parts: bytes) -> bytes:
    content = b"".join(parts)
    return varint(len(content)) + content


@pytest.mark.parametrize(
    "body",
    [
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(1), varint(1), b"\xff", varint(0)),
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(1), varint(-1), varint(0)),
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(-1)),
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(2**40)),
        record(b"\0", varint(0), varint(0), varint(-1), varint(2**40), varint(0)),
        record(b"\0", varint(0), varint(0), varint(2), b"k", varint(-1), varint(0)),
        record(b"\0", varint(2**62), varint(0), varint(-1), varint(-1), varint(0)),
        record(b"\0", varint(0), b"\xff" * 10, varint(-1), varint(-1), varint(0)),
        record(b"\x80", varint(0), varint(0), varint(-1), varint(-1), varint(0)),
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(0), b"more"),
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(0)) + b"more",
        record(b"\0", varint(0), varint(0), varint(-1), varint(-1), varint(0))[:-1],
        varint(-1) + b"\0" * 10,
        varint(2**61) + b"\0" * 10,
        b"\xff" * 20,
        b"",
    ],
)
def test_what_is_wrong_or_unusual_is_left_to_aiokafka(body: bytes) -> None:
    assert read(built([(0, None, None, [])])[:RECORDS] + body) is None


def test_only_records_of_format_2_that_are_uncompressed_are_read() -> None:
    usual = built([(0, b"k", b"v", [])])
    assert read(usual) is not None
    assert compiled.records is not None
    for place, value in ((16, 1), (16, 3), (ATTRIBUTES, CONTROL), (ATTRIBUTES, LZ4), (COUNT, 0x80), (COUNT, 0x7F)):
        other = bytearray(usual)
        other[place] = value
        assert compiled.records(memoryview(other), None) is None
    assert compiled.records(memoryview(usual), usual[RECORDS:]) is None, "its attributes say that it is not compressed"
    assert compiled.records(memoryview(usual[:RECORDS]), None) is None
    assert compiled.records(memoryview(usual[: RECORDS - 1]), None) is None
    assert compiled.records(memoryview(b""), b"") is None


def test_arguments_of_another_kind_are_no_crash() -> None:
    function: Any = compiled.records
    for arguments in ((), (b"",), (None, None), ("text", None), (b"", "text"), (b"", b"", b"")):
        with pytest.raises(TypeError):
            function(*arguments)


def test_records_cannot_be_changed_or_made_up() -> None:
    found = read(built([(0, b"k", b"v", [])]))
    assert found
    for name in ("offset", "timestamp", "timestamp_type", "key", "value", "headers", "other"):
        with pytest.raises(AttributeError):
            setattr(found[0], name, None)
    with pytest.raises(TypeError):
        type(found[0])()


def test_no_reference_is_lost_and_none_is_given_away() -> None:
    usual = built([(n, b"key", b"value", [("name", b"%d" % (n // 2)), ("null", None)]) for n in range(300)], kind=LZ4)
    body, whole, function = codec.lz4_decode(usual[RECORDS:]), memoryview(usual), compiled.records
    assert function is not None

    def many() -> list[int]:
        types: set[type] = set()
        for _ in range(20):
            types.update(map(type, function(whole, body) or ()))
            assert function(whole, body[:-3]) is None
        return [sys.getrefcount(each) for each in (types.pop(), body, None)]

    many()
    gc.collect()
    first, second = many(), many()
    assert first[:2] == second[:2]
    assert abs(second[2] - first[2]) < 50  # of None: others have it, too
    found = function(whole, body)
    assert found
    assert [sys.getrefcount(getattr(found[299], name)) for name in ("offset", "key", "value")] == [2, 2, 2]
