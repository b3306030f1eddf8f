"""Numbers as bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.sparkline import BARS, GAP, sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([5], "▁"),
        ([5, 5, 5], "▁▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], BARS),
        ([None, 0, None, 10], "·▁·█"),
        ([None, None], "··"),
    ],
)
def test_bars_reach_from_the_lowest_value_to_the_highest(values: list[float | None], drawn: str) -> None:
    assert sparkline(values, 60) == drawn


def test_values_that_do_not_fit_share_a_bar() -> None:
    assert sparkline([0, 2, None, 8, None, None], 3) == "▁█·"


@given(values=st.lists(st.none() | st.floats(0, 1e6), max_size=300), width=st.integers(1, 80))
def test_law_it_is_never_wider_than_asked_and_draws_something_for_each_value(
    values: list[float | None], width: int
) -> None:
    line = sparkline(values, width)

    assert min(len(values), 1) <= len(line) <= width
    assert set(line) <= {*BARS, GAP}
    assert (set(line) <= {GAP}) == all(value is None for value in values)
