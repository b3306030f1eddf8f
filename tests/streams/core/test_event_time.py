"""Event time of a raw partition: by its events, by their arrival, by the broker's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import LOG_TIME, Consumed
from streams.core.event_time import SILENT, EventTime, log_time

NOON = 1_795_262_400_000
IDLE = 60_000


@pytest.fixture
def time() -> EventTime:
    return EventTime(IDLE)


def test_time_goes_on_with_the_latest_event(time: EventTime) -> None:
    assert time.take(NOON, NOON) == NOON
    assert time.take(NOON - 10, NOON + 5) == NOON

    assert (time.passed, time.log_time, time.arrived) == (NOON, NOON, NOON + 5)


def test_a_clock_that_runs_ahead_counts_up_to_the_arrival(time: EventTime) -> None:
    assert time.take(NOON + 500_000, NOON) == NOON

    assert (time.passed, time.log_time) == (NOON, NOON)


def test_an_event_from_the_past_moves_nothing_back(time: EventTime) -> None:
    time.take(NOON, NOON)

    assert time.take(NOON - 86_400_000, NOON + 1) == NOON
    assert time.passed == NOON


def test_a_backlog_that_arrives_at_once_has_the_time_of_its_events(time: EventTime) -> None:
    week_ago = NOON - 7 * 86_400_000

    assert [time.take(week_ago + minute, NOON) for minute in (0, 60_000)] == [week_ago, week_ago + 60_000]


def test_a_pause_shows_in_the_arrival_of_the_next_event(time: EventTime) -> None:
    time.take(NOON, NOON)
    arrived = NOON + IDLE

    assert time.take(NOON + 1, arrived) == NOON + 1, "a short pause makes nothing too late"
    assert time.passed == arrived


def test_after_an_hour_of_silence_log_time_has_gone_on_too(time: EventTime) -> None:
    time.take(NOON, NOON)
    arrived = NOON + SILENT

    assert time.take(NOON + 1, arrived) == arrived


def test_an_arrival_that_lies_before_the_one_before_it_bounds_the_log_time(time: EventTime) -> None:
    time.take(NOON, NOON)

    assert time.take(NOON, NOON - 7) == NOON - 7, "another broker's clock is behind"


def test_the_clock_goes_on_only_when_nothing_came_for_long(time: EventTime) -> None:
    time.take(NOON - 5, NOON)

    assert time.by(NOON + IDLE - 1) == (NOON - 5, NOON - 5)
    assert time.by(NOON + IDLE) == (NOON + IDLE, NOON - 5)
    assert time.by(NOON + SILENT) == (NOON + SILENT, NOON + SILENT)


def test_a_partition_without_any_event_goes_on_from_the_first_look(time: EventTime) -> None:
    assert time.by(NOON) == (0, 0)
    assert time.by(NOON + IDLE - 1) == (0, 0)
    assert time.by(NOON + IDLE) == (NOON + IDLE, 0)
    assert time.by(NOON + SILENT) == (NOON + SILENT, NOON + SILENT)


@given(
    st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(-700_000, 9_000_000)), max_size=30), st.integers(0, 29)
)
def test_it_goes_on_from_where_it_was_stored_and_never_goes_back(steps: list[tuple[int, int]], cut: int) -> None:
    whole, arrived, events = EventTime(IDLE), NOON, []
    for later, took in steps:
        arrived += later
        events.append((arrived - took, arrived))
    expected, passed = [], 0
    for event in events:
        told = whole.by(event[1])
        expected.append(whole.take(*event))
        assert passed <= told[0] <= whole.passed, "what was told of the clock, the next event confirms"
        assert expected[-1] <= event[1]
        passed = whole.passed

    first = EventTime(IDLE)
    found = [first.take(*event) for event in events[:cut]]
    second = EventTime(IDLE, first.passed, first.log_time, first.arrived)
    found += [second.take(*event) for event in events[cut:]]

    assert found == expected
    assert (second.passed, second.log_time) == (whole.passed, whole.log_time)


@pytest.mark.parametrize("value", [None, b"", b"-5", b"soon", b"9" * 16, "٣".encode()])
def test_a_log_time_that_is_none_makes_nothing_too_late(value: bytes | None) -> None:
    headers: object = () if value is None else ((LOG_TIME, value),)

    assert log_time(Consumed(0, b"", headers=headers)) == 0  # type: ignore[arg-type]  # as others may write them


def test_the_log_time_of_a_record() -> None:
    assert log_time(Consumed(0, b"", headers=(("other", b"1"), (LOG_TIME, b"%d" % NOON)))) == NOON
