"""The rule at its boundaries, and what is remembered."""

from dataclasses import replace

import pytest

from streams.stages.rate_limit.window import SLICES, Policy, Recent, earliest
from tests.streams.stages.rate_limit.guest_messages import NOW, POLICY, SECOND, WINDOW

GUEST, OTHER = 1, 2
TALK = 1_000_000  # a conversation
COUNTING = replace(POLICY, count_refused=True)


def recent(*ages: int, policy: Policy = POLICY) -> Recent:
    """Return what has admitted one message at each of these times before NOW."""
    found = Recent(policy)
    for age in ages:
        at = found.event_time(NOW - age, NOW - age)
        assert found.take(GUEST, TALK, at) == at
    return found


def allowed(found: Recent, at: int, guest: int = GUEST) -> int:
    """Send a message at a time; return how long after it one would be admitted: 0 is now."""
    counts_at = found.event_time(at, at)
    return found.take(guest, TALK + guest, counts_at) - counts_at


def test_fifteen_are_admitted_and_the_sixteenth_waits_until_the_first_is_more_than_a_window_ago() -> None:
    found = recent(*[10 * SECOND] * 15)

    assert allowed(found, NOW) == 50 * SECOND + 1


@pytest.mark.parametrize(("age", "wait"), [(WINDOW - 1, 2), (WINDOW, 1), (WINDOW + 1, 0)])
def test_an_earlier_message_counts_while_now_minus_then_is_at_most_the_window(age: int, wait: int) -> None:
    found = recent(age, *[SECOND] * 14)

    assert allowed(found, NOW) == wait


def test_the_moment_named_to_a_refused_message_is_admitted_and_the_one_before_is_not() -> None:
    found = recent(*[30 * SECOND] * 10, *[10 * SECOND] * 5)
    wait = allowed(found, NOW)

    assert allowed(found, NOW + wait - 1) == 1
    assert allowed(found, NOW + wait) == 0


def test_a_refused_message_does_not_use_up_the_allowance() -> None:
    found = recent(*[50 * SECOND] * 15)
    for second in range(10):
        assert allowed(found, NOW + second * SECOND) > 0

    assert allowed(found, NOW + 10 * SECOND + 1) == 0


def test_with_the_setting_a_refused_message_counts_as_well() -> None:
    found = recent(*[50 * SECOND] * 15, policy=COUNTING)
    waits = [allowed(found, NOW + second * SECOND) for second in range(9)]
    assert waits == [10 * SECOND + 1 - second * SECOND for second in range(9)]
    waits = [allowed(found, NOW + 9 * SECOND + step) for step in range(6)]

    # The sixth is the fifteenth of those refused: from now on they are a run of their own, since NOW.
    assert waits == [SECOND + 1 - step for step in range(5)] + [51 * SECOND - 4]
    assert allowed(found, NOW + 10 * SECOND + 1) > 0, "this one would have been admitted"
    assert allowed(found, NOW + 11 * SECOND + WINDOW) == 0


def test_guests_do_not_share_an_allowance() -> None:
    found = recent(*[SECOND] * 15)

    assert allowed(found, NOW, OTHER) == 0
    assert allowed(found, NOW) > 0


def test_a_message_that_comes_late_is_refused_when_a_window_around_it_is_full() -> None:
    # It was sent between eight and seven others, all within a window: refused as it would be in order.
    found = recent(*[40 * SECOND] * 8, *[5 * SECOND] * 7)

    assert found.take(GUEST, TALK, NOW - 20 * SECOND) == NOW - 40 * SECOND + WINDOW + 1


def test_a_message_that_comes_late_is_admitted_where_no_window_is_full() -> None:
    found = recent(*[5 * SECOND] * 15)

    assert found.take(GUEST, TALK, NOW - 5 * SECOND - WINDOW) == NOW - 5 * SECOND + WINDOW + 1
    assert found.take(GUEST, TALK, NOW - 5 * SECOND - WINDOW - 1) == NOW - 5 * SECOND - WINDOW - 1


def test_what_is_allowed_leads_over_all_full_windows_and_stops_at_the_first_gap() -> None:
    times = [0, 40 * SECOND, 80 * SECOND, 300 * SECOND, 310 * SECOND]

    assert earliest(times, 30 * SECOND, 2, WINDOW) == 40 * SECOND + WINDOW + 1
    assert earliest(times, 290 * SECOND, 2, WINDOW) == 300 * SECOND + WINDOW + 1
    assert earliest(times, 200 * SECOND, 2, WINDOW) == 200 * SECOND


@pytest.mark.parametrize(
    ("sent", "counts"),
    [
        (-WINDOW - 1, -WINDOW),
        (-WINDOW, -WINDOW),
        (-1, -1),
        (0, 0),
        (10 * SECOND, 10 * SECOND),
        (10 * SECOND + 1, 10 * SECOND),
        (365 * 86_400 * SECOND, 10 * SECOND),
    ],
)
def test_a_guests_clock_is_believed_within_lateness_and_skew(sent: int, counts: int) -> None:
    assert Recent(POLICY).event_time(NOW + sent, NOW) == NOW + counts


def test_a_message_that_arrived_long_before_others_counts_where_times_are_still_known() -> None:
    found = Recent(POLICY)
    found.event_time(NOW, NOW)

    assert found.event_time(NOW - 2 * WINDOW, NOW - 2 * WINDOW) == NOW - WINDOW
    assert found.log_time == NOW


HOUR = 3_600 * SECOND


def sent_every(found: Recent, first: int, step: int, count: int) -> list[bool]:
    """Send messages of one guest, with clocks that are right; return which are admitted."""
    return [allowed(found, first + number * step) == 0 for number in range(count)]


@pytest.mark.parametrize("ahead", [0, POLICY.reach, POLICY.reach + 1, HOUR, 365 * 24 * HOUR])
def test_a_guest_who_keeps_to_the_limit_does_not_feel_a_clock_that_was_ahead_once(ahead: int) -> None:
    # Six a minute for an hour, after one message of somebody else was stamped by a clock that was ahead.
    found = Recent(POLICY)
    allowed(found, NOW + ahead, OTHER)

    assert sent_every(found, NOW, 10 * SECOND, 350) == [True] * 350


def test_after_a_step_back_messages_count_at_one_moment_for_a_window_and_then_anew() -> None:
    #  arrivals  0 s       15 s        61 s      76 s        122 s
    #            | 15 pass | refused   | 15 pass | refused   | 15 pass ...
    #            all count at one time | the new era begins: each counts when it was sent
    found = Recent(POLICY)
    allowed(found, NOW + HOUR, OTHER)

    admitted = sent_every(found, NOW, SECOND, 200)

    runs = [(True, 15), (False, 46), (True, 15), (False, 46), (True, 15), (False, 46), (True, 15), (False, 2)]
    assert admitted == [outcome for outcome, count in runs for _ in range(count)]
    assert found.era == 1


def test_at_worst_a_guest_gets_its_allowance_once_more_when_a_new_era_begins() -> None:
    found = Recent(POLICY)
    allowed(found, NOW + HOUR, OTHER)
    allowed(found, NOW)
    last = NOW + WINDOW  # of the era
    assert sent_every(found, last, 0, 20) == [True] * 14 + [False] * 6

    assert sent_every(found, last + 1, 0, 20) == [True] * 15 + [False] * 5
    assert sent_every(found, last + 1 + WINDOW, 0, 20) == [False] * 20


@pytest.mark.parametrize("lag", [POLICY.reach + 1, HOUR])
def test_of_two_clocks_the_slower_one_begins_no_era_and_the_limit_holds(lag: int) -> None:
    found = Recent(POLICY)

    both = [(allowed(found, at), allowed(found, at - lag, OTHER)) for at in range(NOW, NOW + 10 * WINDOW, 2 * SECOND)]

    assert (found.era, found.log_time) == (0, NOW + 10 * WINDOW - 2 * SECOND)
    assert [sum(wait == 0 for wait in waits) for waits in zip(*both, strict=True)] == [150, 150]


def test_a_source_that_catches_up_begins_no_era_while_others_come_between() -> None:
    found = Recent(POLICY)
    for second in range(600):
        allowed(found, NOW + second * SECOND // 10)
        allowed(found, NOW - HOUR + second * SECOND)

    assert found.era == 0


def test_times_are_forgotten_by_whole_slices_once_nothing_can_be_near_them() -> None:
    found = recent(*[0] * 3)
    slice_length = -(-POLICY.reach // SLICES)

    found.advance(NOW + POLICY.reach)
    assert len(found) == 2 * 3, "of the guest and of the conversation"
    found.advance(NOW + POLICY.reach + 2 * slice_length)
    assert len(found) == 0


def test_the_table_holds_the_recent_past_whatever_the_number_of_guests() -> None:
    found = Recent(POLICY)
    most = 0
    for guest in range(20_000):
        at = found.event_time(NOW + guest * 100, NOW + guest * 100)
        found.take(guest, TALK + guest, at)
        most = max(most, len(found)) if guest % 100 == 0 else most

    assert most <= 2 * (POLICY.reach + 2 * -(-POLICY.reach // SLICES)) // 100


@pytest.mark.parametrize("order", [range(5_000), range(5_000, 0, -1), [i * 2_237 % 5_000 for i in range(5_000)]])
def test_a_flood_of_refused_messages_that_count_is_not_held_in_full(order: "list[int] | range") -> None:
    found = Recent(COUNTING)
    at = found.event_time(NOW, NOW)
    for age in order:
        found.take(GUEST, TALK, at - age)

    assert len(found) <= 8 * POLICY.limit
