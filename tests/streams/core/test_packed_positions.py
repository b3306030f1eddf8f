"""Positions, packed."""

from hypothesis import given
from hypothesis import strategies as st

from streams.core.packed_positions import pack, unpack

RAWS, OFFSETS = st.integers(0, 10**10 - 1), st.integers(0, 10**18 - 1)


@given(st.dictionaries(RAWS, OFFSETS, max_size=50) | st.dictionaries(st.integers(0, 300), st.integers(0, 2**17)))
def test_what_is_packed_is_read_again(positions: dict[int, int]) -> None:
    assert unpack(pack(positions)) == positions


def test_a_thousand_that_lie_together_take_five_bytes_each() -> None:
    assert len(pack({raw: 4_000_000_000 + raw * 7_919 % 1_000_003 for raw in range(1_000)})) < 5_100


def test_pairs_that_were_stored_once_are_read() -> None:
    assert unpack([(3, 5), (1, 7)]) == {1: 7, 3: 5}
    assert unpack(b"") == {}
