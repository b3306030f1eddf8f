from typing import Any

import pytest

from schemas.envelope import SOURCE_POSITION, Consumed, Headers
from streams.core.positions import OWN, source_position


def test_a_record_comes_from_the_frame_that_its_header_names() -> None:
    record = Consumed(99, b"", headers=(("other", b"1:2"), (SOURCE_POSITION, b"11:1234567890123")))

    assert source_position(record) == (11, 1_234_567_890_123)


@pytest.mark.parametrize("headers", [(), (("other", b"1:2"),)])
def test_a_record_without_the_header_stands_for_itself(headers: Headers) -> None:
    assert source_position(Consumed(99, b"", headers=headers)) == (OWN, 99)


@pytest.mark.parametrize(
    "value", [b"", b":", b"1", b"1:", b":1", b"a:b", b"1:2:3", b"\xff:1", b"1.5:2", b"-1:2", b"1:+2"]
)
def test_a_record_whose_header_is_no_position_stands_for_itself(value: bytes) -> None:
    assert source_position(Consumed(99, b"", headers=((SOURCE_POSITION, value),))) == (OWN, 99)


def test_a_null_header_is_none() -> None:
    headers: Any = ((SOURCE_POSITION, None),)

    assert source_position(Consumed(99, b"", headers=headers)) == (OWN, 99)


@pytest.mark.parametrize("position", [(0, 0), (9_999_999_999, 10**18 - 1)])
def test_positions_may_be_large(position: tuple[int, int]) -> None:
    assert source_position(Consumed(99, b"", headers=((SOURCE_POSITION, b"%d:%d" % position),))) == position


@pytest.mark.parametrize(
    "position", [(99_999_999_999_999_999_999, 1), (10**10, 1), (1, 10**18), (1, 2**63), (1, 10**4000)]
)
def test_a_record_whose_position_is_larger_stands_for_itself(position: tuple[int, int]) -> None:
    assert source_position(Consumed(99, b"", headers=((SOURCE_POSITION, b"%d:%d" % position),))) == (OWN, 99)
