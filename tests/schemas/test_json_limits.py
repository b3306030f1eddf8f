"""JSON at its bounds, and beyond."""

import orjson
import pytest

from schemas.json_limits import (
    DEEPEST,
    LONGEST_NUMBER,
    LONGEST_TEXT,
    MOST_ENTRIES,
    NOT_JSON,
    TOO_DEEP,
    TOO_LONG,
    Unreadable,
    read,
)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]", inside: bytes = b"1") -> bytes:
    return opening * depth + inside + closing * depth


@pytest.mark.parametrize(
    "data",
    [
        nested(DEEPEST),
        nested(DEEPEST, b'{"a":', b"}"),
        nested(DEEPEST // 2, b'[{"a":', b"}]"),
        b'"' + b"[" * LONGEST_TEXT + b'"',
        b"0." + b"1" * (LONGEST_NUMBER - 2),
        b'"' + b"9" * 5000 + b'"',  # text, and no number
        orjson.dumps(['\\"', "9" * 5000]),
        orjson.dumps([0] * MOST_ENTRIES),
        orjson.dumps({str(number): number for number in range(MOST_ENTRIES)}),
    ],
    ids=range(9),
)
def test_what_is_at_its_bound_is_read(data: bytes) -> None:
    assert read(data) == orjson.loads(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (nested(DEEPEST + 1), TOO_DEEP),
        (nested(DEEPEST + 1, b'{"a":', b"}", b'""'), TOO_DEEP),
        (nested(DEEPEST // 2 + 1, b'[{"a":', b"}]"), TOO_DEEP),
        (nested(1024), TOO_DEEP),
        (nested(100_000), TOO_DEEP),
        (nested(100_000, b'{"a":', b"}"), TOO_DEEP),
        (b"[" * 100_000, TOO_DEEP),
        (b'["' + b"a" * (LONGEST_TEXT + 1) + b'"]', TOO_LONG),
        (b'{"' + b"a" * (LONGEST_TEXT + 1) + b'":1}', TOO_LONG),
        (b"[0." + b"1" * LONGEST_NUMBER + b"]", TOO_LONG),
        (b"[" + b"9" * 5000 + b"]", TOO_LONG),
        (orjson.dumps([0] * (MOST_ENTRIES + 1)), TOO_LONG),
        (orjson.dumps({str(number): number for number in range(MOST_ENTRIES + 1)}), TOO_LONG),
        (b"1e999", NOT_JSON),
        (b"", NOT_JSON),
        (b"[" * 60, NOT_JSON),
    ],
    ids=range(16),
)
def test_what_is_beyond_is_not_read_and_the_reason_says_why(data: bytes, reason: str) -> None:
    found = read(data)

    assert isinstance(found, Unreadable)
    assert found.reason == reason


def test_no_bytes_take_long() -> None:
    for data in (b'["' + b'\\"' * 400_000 + b'"]', b"[" + b"9" * 900 * 1000 + b"]", orjson.dumps([["a"] * 9] * 9_000)):
        read(data)
