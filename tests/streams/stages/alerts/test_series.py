"""What the rule says of minutes: a table, and a batch reading of the same rule in other words."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.alerts.rules import EACH, TOTAL, Rule
from streams.stages.alerts.series import MINUTE, Alert, Minute, Progress, read, silence

RULE = Rule(
    name="handle-time",
    metric="avg_handle_time",
    threshold=240,
    critical_at=360,
    for_=1,
    clear_below=216,
    clear_for=2,
    min_interactions=1,
    repeat_every=None,
    no_data=None,
    queues=TOTAL,
)


def minutes(*values: float | None) -> list[Minute]:
    """Minutes from 0 on; None has no events."""
    return [Minute(at * MINUTE, value, 1) for at, value in enumerate(values) if value is not None]


def told(rule: Rule, values: list[Minute]) -> list[str]:
    resolved, progress = read(rule, Progress(), values)
    found = [*resolved, *([progress.open] if progress.open else [])]
    texts = []
    for alert in found:
        end = "" if alert.resolved_at is None else alert.resolved_at // MINUTE
        texts.append(f"{alert.opened_at // MINUTE}-{end} {alert.severity} {alert.value:g}")
    return texts


@pytest.mark.parametrize(
    ("values", "expected", "changes"),
    [
        pytest.param([240] * 5, [], {}, id="exactly the threshold is not above"),
        pytest.param([240.5], ["0- warning 240.5"], {}, id="a minute above opens"),
        pytest.param([360], ["0- warning 360"], {}, id="exactly 1.5 x is a warning"),
        pytest.param([360.5], ["0- critical 360.5"], {}, id="above 1.5 x is critical"),
        pytest.param([250, 400, 250], ["0- critical 400"], {}, id="severity is the highest while open"),
        pytest.param([250, 200, 200, 300], ["0-3 warning 250", "3- warning 300"], {}, id="two clear minutes resolve"),
        pytest.param([250, 200, 230, 200], ["0- warning 250"], {}, id="between starts clearing anew"),
        pytest.param([250, 216, 216], ["0- warning 250"], {}, id="exactly clear_below is not clear"),
        pytest.param(
            [3, 0, 0], ["0-3 critical 3"], {"threshold": 0, "critical_at": 0, "clear_below": 0}, id="0 is clear"
        ),
        pytest.param([250, 200, None, 200], ["0-4 warning 250"], {}, id="a minute without data clears nothing"),
        pytest.param([250, None, None, 250], ["0- warning 250"], {}, id="and opens no second alert"),
        pytest.param([239, 241] * 30, ["1- warning 241"], {}, id="alternating 239 and 241 opens one"),
        pytest.param([250, 250, 100, 250, 250, 250], ["3- warning 250"], {"for_": 3}, id="three in a row"),
        pytest.param([250, 250, None, 250, 250], [], {"for_": 3}, id="a gap ends the row"),
        pytest.param([300, 250, 250], ["0- warning 300"], {"for_": 3}, id="opened at the first of the row"),
        pytest.param([], [], {}, id="nothing says nothing"),
    ],
)
def test_what_comes_out(values: list[float | None], expected: list[str], changes: dict[str, int]) -> None:
    assert told(replace(RULE, **changes), minutes(*values)) == expected  # type: ignore[arg-type]  # of the right types


def test_a_minute_whose_events_say_nothing_of_the_metric_clears_nothing_and_ends_a_row_of_minutes_above() -> None:
    def without(*values: float | None) -> list[Minute]:
        return [Minute(at * MINUTE, value, 1) for at, value in enumerate(values)]

    assert told(RULE, without(250, None, 200, None, 200)) == ["0-5 warning 250"]
    assert told(replace(RULE, for_=2), without(250, None, 250)) == []
    quiet = replace(RULE, no_data=1)
    assert told(quiet, without(100, None, 100)) == []  # it has events


def test_a_rise_is_told_in_the_minute_that_made_it_critical() -> None:
    _, before = read(RULE, Progress(), minutes(250, 300))
    _, after = read(RULE, Progress(), minutes(250, 300, 400, 500))

    assert before.open == Alert("avg_handle_time", 0, "warning", 250, 0)
    assert after.open == Alert("avg_handle_time", 0, "critical", 400, 2 * MINUTE)


def test_an_open_alert_is_told_again_with_the_highest_value_until_then() -> None:
    rule = replace(RULE, repeat_every=3)

    opened = [read(rule, Progress(), minutes(250, 300, 250, 250, 260)[: n + 1])[1].open for n in range(5)]

    assert [(alert.updated // MINUTE, alert.value) for alert in opened if alert] == [(0, 250)] * 3 + [(3, 300)] * 2


def test_minutes_with_too_few_interactions_are_no_evidence() -> None:
    rule = replace(RULE, min_interactions=2)
    thin = [
        Minute(each.start, each.value, 1 if (each.value or 0) > 400 else 2)
        for each in minutes(500, 250, 500, 200, 500, 200)
    ]

    assert told(rule, thin) == ["1-6 warning 250"]


QUIET = Alert("no_data", MINUTE, "warning", 3, 3 * MINUTE)


@pytest.mark.parametrize(("quiet", "expected"), [(2, None), (3, QUIET), (9, QUIET)])
def test_silence_is_told_after_so_many_minutes_and_ends_with_data(quiet: int, expected: Alert | None) -> None:
    rule = replace(RULE, no_data=3)
    again = (quiet + 1) * MINUTE

    assert silence(rule, 0, again) == expected
    resolved, _ = read(rule, Progress(), [Minute(0, 1, 1), Minute(again, 1, 1)])
    ended = [] if expected is None else [replace(expected, updated=again, resolved_at=again + MINUTE)]
    assert resolved == ended


def test_nothing_is_silent_that_never_spoke_or_is_not_asked_for() -> None:
    assert silence(replace(RULE, no_data=3), None, 99 * MINUTE) is None
    assert silence(RULE, 0, 99 * MINUTE) is None


def batch(rule: Rule, values: dict[int, tuple[float, int]]) -> list[tuple[int, int | None, str, float]]:
    """Read the rule in other words: over whole lists, from the outside in. (opened, resolved, severity, highest)."""
    found: list[tuple[int, int | None, str, float]] = []
    times = sorted(values)
    good = {at: value for at, (value, number) in values.items() if number >= rule.min_interactions}
    start = 0
    while True:
        rows = [
            [at + n for n in range(rule.for_)]
            for at in range(start, max(times, default=-1) + 1)
            if all(good.get(at + n, 0) > rule.threshold for n in range(rule.for_))
        ]
        if not rows:
            return found
        row = rows[0]
        later = [at for at in times if at > row[-1] and at in good]
        end = None
        for place in range(rule.clear_for - 1, len(later)):
            if all(good[at] < rule.clear_below for at in later[place - rule.clear_for + 1 : place + 1]):
                end = later[place]
                break
        highest = max(good[at] for at in [*row, *later] if end is None or at <= end)
        found.append(
            (row[0], None if end is None else end + 1, "critical" if highest > rule.critical_at else "warning", highest)
        )
        if end is None:
            return found
        start = end + 1


AVERAGES = st.sampled_from([0.0, 215.5, 216.0, 230.0, 240.0, 240.5, 360.0, 361.0])
VALUES = st.dictionaries(st.integers(0, 40), st.tuples(AVERAGES, st.integers(1, 3)))
RULES = st.builds(
    lambda for_, clear_for, least: replace(RULE, for_=for_, clear_for=clear_for, min_interactions=least, queues=EACH),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
)


@settings(max_examples=400, deadline=None)
@given(RULES, VALUES, st.integers(0, 41))
def test_minute_by_minute_or_in_parts_says_what_the_batch_says(
    rule: Rule, values: dict[int, tuple[float, int]], cut: int
) -> None:
    listed = [Minute(at * MINUTE, *values[at]) for at in sorted(values)]

    first, begun = read(rule, Progress(), [each for each in listed if each.start < cut * MINUTE])
    rest, progress = read(rule, begun, [each for each in listed if each.start >= cut * MINUTE])

    assert ([*first, *rest], progress) == read(rule, Progress(), listed)
    expected = batch(rule, values)
    found = [*first, *rest, *([progress.open] if progress.open else [])]
    assert [(a.opened_at // MINUTE, a.resolved_at and a.resolved_at // MINUTE, a.severity) for a in found] == [
        each[:3] for each in expected
    ]
    assert [a.value for a in found if a.resolved_at is not None] == [
        each[3] for each in expected if each[1] is not None
    ]
