"""What is said of many durations, against numpy over the durations themselves."""

from collections.abc import Sequence

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.stages.percentiles.durations import ERROR, SMALLEST, Durations

SECONDS = st.integers(0, 40).map(float) | st.floats(0, 1e7, allow_subnormal=False)
MEASURED = st.floats(SMALLEST, 1e7) | st.just(0.0)  # what buckets keep to their relative error
LIMIT = 2048


def of(values: Sequence[float], limit: int = LIMIT) -> Durations:
    durations = Durations()
    for value in values:
        durations.add(value)
    durations.settle(limit)
    return durations


def percentiles(durations: Durations) -> list[float]:
    summary = durations.summary()
    return [summary.p50, summary.p90, summary.p95]


def numpys(values: Sequence[float]) -> list[float]:
    return [float(found) for found in np.percentile(np.array(values), [50, 90, 95], method="linear")]


@given(st.lists(SECONDS, min_size=1, max_size=200))
def test_percentiles_are_those_of_numpy(values: list[float]) -> None:
    durations = of(values)

    assert durations.exact
    assert percentiles(durations) == pytest.approx(numpys(values), rel=1e-12, abs=1e-12)


@given(st.lists(MEASURED, min_size=1, max_size=200))
def test_collapsed_percentiles_are_within_one_percent(values: list[float]) -> None:
    durations = of(values, limit=1)

    assert durations.exact == (len(set(values)) == 1)
    assert percentiles(durations) == pytest.approx(numpys(values), rel=ERROR + 1e-9, abs=1e-12)


@given(st.lists(st.floats(0, SMALLEST), min_size=1))
def test_collapsed_durations_below_a_millisecond_are_within_a_millisecond(values: list[float]) -> None:
    assert percentiles(of(values, limit=0)) == pytest.approx(numpys(values), abs=1.02 * SMALLEST)


@given(st.lists(SECONDS, min_size=1), st.sampled_from([0, 3, LIMIT]))
def test_minimum_maximum_and_mean_are_exact_in_either_form(values: list[float], limit: int) -> None:
    summary = of(values, limit).summary()

    assert (summary.min, summary.max) == (min(values), max(values))
    assert summary.mean == pytest.approx(sum(values) / len(values), rel=1e-12)


@given(st.lists(SECONDS, min_size=1), st.sampled_from([0, 3, LIMIT]))
def test_percentiles_lie_between_minimum_and_maximum_and_in_order(values: list[float], limit: int) -> None:
    summary = of(values, limit).summary()

    assert summary.min <= summary.p50 <= summary.p90 <= summary.p95 <= summary.max


@given(st.lists(SECONDS, min_size=1), st.randoms(use_true_random=False), st.sampled_from([0, 3, LIMIT]))
def test_the_order_of_durations_does_not_matter(values: list[float], random: object, limit: int) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert of(shuffled, limit).summary() == of(values, limit).summary()


@given(st.lists(SECONDS, min_size=1), st.lists(SECONDS, min_size=1), st.sampled_from([0, 3, LIMIT]))
def test_settling_in_between_changes_no_percentile_of_what_is_collapsed(
    first: list[float], second: list[float], limit: int
) -> None:
    in_two = of(first, limit)
    for value in second:
        in_two.add(value)
    in_two.settle(limit)

    at_once = of(first + second, limit)

    assert in_two.exact == at_once.exact
    assert in_two.buckets == at_once.buckets
    assert percentiles(in_two) == percentiles(at_once)
    assert in_two.summary().mean == pytest.approx(at_once.summary().mean, rel=1e-12)


@given(st.lists(SECONDS, min_size=1), st.lists(SECONDS), st.sampled_from([0, 3, LIMIT]))
def test_what_was_stored_is_restored_and_goes_on_alike(first: list[float], second: list[float], limit: int) -> None:
    durations = of(first, limit)

    restored = Durations.restored(orjson.loads(orjson.dumps(durations.stored())))

    assert restored.summary() == durations.summary()
    for each in (durations, restored):
        for value in second:
            each.add(value)
        each.settle(limit)
    assert restored.summary() == durations.summary()


@pytest.mark.parametrize(("distinct", "exact"), [(4, True), (5, False)])
def test_the_limit_is_the_number_of_distinct_values_counted_exactly(distinct: int, exact: bool) -> None:
    durations = of([float(value) for value in range(distinct)] * 3, limit=4)

    assert durations.exact is exact


def test_what_is_collapsed_stays_collapsed() -> None:
    durations = of([1.0, 2.0, 3.0], limit=2)
    durations.add(4.0)

    durations.settle(limit=2)

    assert not durations.exact
    assert durations.counts == {}
    assert sum(durations.buckets.values()) == 4


def test_a_year_of_durations_needs_no_more_buckets_than_this() -> None:
    durations = of([float(np.exp(step / 50)) for step in range(-345, 864)], limit=0)

    assert len(durations.buckets) < 1250
    assert len(orjson.dumps(durations.stored())) < 20_000
