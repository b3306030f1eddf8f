"""Retry policies."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.retry import LONGEST_DELAY, LONGEST_RETRY_AFTER, delays, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def test_the_ceiling_doubles_up_to_the_maximum() -> None:
    assert list(islice(delays(random=lambda: 1.0), 7)) == [1, 2, 4, 8, 15, 15, 15]
    assert list(islice(delays(3, 10, random=lambda: 1.0), 4)) == [3, 6, 10, 10]


def test_jitter_takes_any_part_of_the_ceiling() -> None:
    parts = iter([0.0, 0.5, 0.25])

    assert list(islice(delays(random=lambda: next(parts)), 3)) == [0, 1, 1]


@given(st.integers(1, 200))
def test_delays_stay_within_bounds_for_ever(steps: int) -> None:
    assert all(0 <= delay <= LONGEST_DELAY for delay in islice(delays(), steps))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("301", LONGEST_RETRY_AFTER),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0),
        ("Tue, 14 Nov 2023 22:14:00 -0000", 40.0),
        ("Tue, 14 Nov 2023 23:14:00 +0100", 40.0),
        ("Fri, 31 Dec 2999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Tue, 14 Nov 2023 22:13:00 GMT", None),  # past
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("1e5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Tue, 99 Nov 2023 22:14:00 GMT", None),
    ],
)
def test_retry_after_understands_seconds_and_dates(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_no_header_is_an_error(header: str) -> None:
    wait = retry_after(header, NOW)

    assert wait is None or 0 < wait <= LONGEST_RETRY_AFTER
