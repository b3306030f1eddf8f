from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator.clock import DAY, DAY_SHAPE, HOUR, EventClock

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC).timestamp()


def test_begins_its_history_before_the_start() -> None:
    assert EventClock(MIDNIGHT, 24 * HOUR, 360).at(0) == pytest.approx(MIDNIGHT - 24 * HOUR)


def test_speedup_is_the_average_over_a_day() -> None:
    clock = EventClock(MIDNIGHT, 46 * HOUR, 360)

    assert clock.at(DAY / 360) - clock.at(0) == pytest.approx(DAY)


def test_a_busy_hour_takes_longer_than_a_quiet_one() -> None:
    clock = EventClock(MIDNIGHT, 24 * HOUR, 240)  # an average hour in 15 seconds

    begin = MIDNIGHT - 24 * HOUR
    busy, quiet = (15 * DAY_SHAPE[hour] for hour in (9, 3))
    until_three = 15 * sum(DAY_SHAPE[:3])
    until_nine = 15 * sum(DAY_SHAPE[:9])
    assert clock.at(until_three) == pytest.approx(begin + 3 * HOUR)
    assert clock.at(until_three + quiet) == pytest.approx(begin + 4 * HOUR)
    assert clock.at(until_nine) == pytest.approx(begin + 9 * HOUR)
    assert clock.at(until_nine + busy) == pytest.approx(begin + 10 * HOUR)


@given(
    started_at=st.floats(MIDNIGHT, MIDNIGHT + 400 * DAY),
    history=st.floats(0, 46 * HOUR),
    speedup=st.floats(1, 10_000),
    elapsed=st.floats(0, 2 * DAY),
    step=st.floats(0, HOUR),
)
def test_runs_forward_and_never_ahead_of_real_time(
    started_at: float, history: float, speedup: float, elapsed: float, step: float
) -> None:
    clock = EventClock(started_at, history, speedup)

    assert clock.at(elapsed) <= started_at + elapsed
    assert clock.at(elapsed + step) >= clock.at(elapsed) - 1e-3


def test_having_caught_up_it_is_real_time() -> None:
    clock = EventClock(MIDNIGHT, HOUR, 3600)

    assert clock.at(HOUR) == MIDNIGHT + HOUR


def test_without_history_it_is_real_time() -> None:
    assert EventClock(MIDNIGHT + 12 * HOUR, 0, 1).at(1800) == MIDNIGHT + 12 * HOUR + 1800
