from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.demo.judges.hours import judge, percentile, truth

NINE = 1_772_442_000  # 2026-03-02 09:00 UTC
EVENTS = [
    {
        "campaign_id": campaign,
        "completed_at": (NINE + second) * 1000 + 999,
        "handle_time": handle,
        "wait_time": second % 7,
    }
    for campaign in ("sales, 100%", "two\nlines")
    for second, handle in enumerate((30, 30, 45, 60, 600))
] + [{"campaign_id": "two\nlines", "completed_at": (NINE + 3600) * 1000, "handle_time": 9, "wait_time": 0}]
TAGS = {"sales, 100%": "sales, 100%25", "two\nlines": "two%0Alines"}

Points = list[dict[str, Any]]


@pytest.fixture(name="points")
def _points() -> Points:
    return [
        {
            "measurement": "cxone_metrics",
            "tags": {"campaign_id": TAGS[campaign]},
            "fields": dict(fields),
            "time": start * 10**9,
        }
        for (campaign, start), fields in truth(EVENTS).items()
    ]


@given(
    values=st.lists(st.integers(0, 5000) | st.floats(0, 1e6), min_size=1).map(sorted),
    share=st.sampled_from([0.5, 0.9, 0.95]),
)
def test_percentile_is_numpy_s(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.percentile(values, share * 100)), rel=1e-12, abs=1e-9)


def test_truth_of_a_window() -> None:
    assert truth(EVENTS)["sales, 100%", NINE] == {
        "hour_bucket": "2026-03-02T09:00:00Z",
        "count": 5,
        "p50_handle": 45.0,
        "p90_handle": pytest.approx(384.0),
        "p95_handle": pytest.approx(492.0),
        "p50_wait": 2.0,
        "p90_wait": pytest.approx(3.6),
        "p95_wait": pytest.approx(3.8),
    }


def test_hours_end_before_the_full_hour() -> None:
    assert {start for _, start in truth(EVENTS)} == {NINE, NINE + 3600}


def test_agrees_with_what_is_right(points: Points) -> None:
    verdict = judge(truth(EVENTS), points)

    assert (verdict.windows_checked, verdict.events_counted, verdict.mismatches) == (3, 11, ())


def count_one_too_many(points: Points) -> None:
    points[0]["fields"]["count"] += 1


def count_as_float(points: Points) -> None:
    points[0]["fields"]["count"] = 5.0


def percentile_off(points: Points) -> None:
    points[0]["fields"]["p95_wait"] += 0.001


def field_missing(points: Points) -> None:
    del points[0]["fields"]["p90_handle"]


def field_too_many(points: Points) -> None:
    points[0]["fields"]["extra"] = 1.0


def point_missing(points: Points) -> None:
    points.pop()


def campaign_never_sent(points: Points) -> None:
    points.append(deepcopy(points[0]))
    points[-1]["tags"]["campaign_id"] = "ghost"


def hour_never_sent(points: Points) -> None:
    points.append(deepcopy(points[0]))
    points[-1]["time"] += 7200 * 10**9


def one_point_twice(points: Points) -> None:
    points.append(deepcopy(points[0]))


def another_measurement(points: Points) -> None:
    points[0]["measurement"] = "cxone_metric"


def another_tag(points: Points) -> None:
    points[0]["tags"]["host"] = "x"


def time_off(points: Points) -> None:
    points[0]["time"] += 1


@pytest.mark.parametrize(
    "spoil",
    [
        count_one_too_many,
        count_as_float,
        percentile_off,
        field_missing,
        field_too_many,
        point_missing,
        campaign_never_sent,
        hour_never_sent,
        one_point_twice,
        another_measurement,
        another_tag,
        time_off,
    ],
)
def test_finds_every_kind_of_mistake(points: Points, spoil: Callable[[Points], None]) -> None:
    spoil(points)

    assert judge(truth(EVENTS), points).mismatches
