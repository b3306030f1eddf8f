import pytest

from benchmarks.results import HOUR_MS, Truth, WrongResults, require_equal
from connectors.simulator.interactions.frames import Event

HANDLED = (60, 120, 180, 240)


@pytest.fixture
def truth() -> Truth:
    truth = Truth()
    for number, handle in enumerate(HANDLED):
        truth.add(Event(f"event-{number}", "billing", 5 * HOUR_MS + number, handle, 10))
    return truth


def test_rows_hold_the_count_and_the_interpolated_percentiles_of_each_window(truth: Truth) -> None:
    rows = truth.rows()

    assert list(rows) == [("billing", 5 * HOUR_MS)]
    assert rows["billing", 5 * HOUR_MS] == pytest.approx((4, 150, 222, 231, 10, 10, 10))


def test_equal_rows_pass(truth: Truth) -> None:
    require_equal(truth.rows(), dict(truth.rows()), of="a program")


@pytest.mark.parametrize(
    "found",
    [
        {},
        {("billing", 5 * HOUR_MS): (5, 150, 222, 231, 10, 10, 10)},
        {("billing", 5 * HOUR_MS): (4, 150, 222, 231.1, 10, 10, 10)},
        {("billing", 5 * HOUR_MS): (4, 150, 222, 231, 10, 10, 10), ("sales", 0): (1, 1, 1, 1, 1, 1, 1)},
    ],
    ids=["nothing came out", "counted twice", "another percentile", "a window too many"],
)
def test_whatever_differs_is_refused_by_name(truth: Truth, found: dict[tuple[str, int], tuple[float, ...]]) -> None:
    with pytest.raises(WrongResults, match=r"a program: 1 of 1 windows are wrong"):
        require_equal(truth.rows(), found, of="a program")
