"""The judge of minutes and alerts finds what is not as it must be."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.records import AlertRecord, MetricSnapshot
from streams.demo.judges.minutes import MINUTE, Key, alerts, judge, truth


def event(at: int, **changes: object) -> dict[str, Any]:
    return {
        "event_type": "interaction",
        "state": "active",
        "at": at,
        "interaction_id": "i",
        "agent_id": "a",
        "queue_id": "q",
        "handle_time": 300.0,
        "wait_time": 10.0,
        **changes,
    }


EVENTS = [
    event(1),
    event(2, interaction_id="j", handle_time=200.0),
    event(3, state="idle"),
    event(4, event_type="agent"),
]
ROW = MetricSnapshot(0, "", 2, 2, 250.0, 10.0, 1, 1, True, True, 1)
ROWS: dict[Key, MetricSnapshot] = {(0, ""): ROW, (0, "q"): replace(ROW, queue="q")}
ALERT = AlertRecord("x", "handle-time", "avg_handle_time", "", "open", "warning", 250.0, 240.0, 0, None, 0, 1)
TOLD = [{"alert_id": "x", "revision": 1, "state": "open"}]


def test_the_truth_leaves_out_what_is_idle_or_no_interaction() -> None:
    assert truth([*EVENTS, event(MINUTE, queue_id=None)]) == {
        (0, ""): (2, 2, 250.0, 10.0, 1),
        (0, "q"): (2, 2, 250.0, 10.0, 1),
        (MINUTE, ""): (1, 1, 300.0, 10.0, 1),
    }


def test_what_is_as_it_should_be_has_no_mismatch() -> None:
    empty: dict[Key, MetricSnapshot] = {(MINUTE, ""): replace(ROW, window=MINUTE, events=0, interactions=0)}

    verdict = judge(truth(EVENTS), ROWS | empty, [ALERT], TOLD)

    assert (verdict.rows_checked, verdict.alerts_checked, verdict.mismatches) == (3, 1, ())


def test_what_differs_is_a_mismatch_each() -> None:
    wrong = {(0, ""): replace(ROW, events=3), (MINUTE, ""): replace(ROW, window=MINUTE, final=False)}

    found = judge(truth(EVENTS), wrong, [], TOLD).mismatches

    assert len(found) == 5  # a figure, a row missing, a row too many, an alert missing, and the webhook knows it


def test_an_alert_too_many_is_a_mismatch_and_a_retracted_one_none() -> None:
    expected = truth([event(1, handle_time=100.0)])
    rows: dict[Key, MetricSnapshot] = {
        key: replace(ROW, queue=key[1], events=1, interactions=1, avg_handle_time=100.0) for key in expected
    }

    assert len(judge(expected, rows, [ALERT], TOLD).mismatches) == 1
    assert (
        judge(expected, rows, [replace(ALERT, state="retracted")], [{**TOLD[0], "state": "retracted"}]).mismatches == ()
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([240], set()),
        ([241, 200, 200, 400], {("handle-time", 0, 3, "warning"), ("handle-time", 3, None, "critical")}),
        ([250, 200, 230, 200], {("handle-time", 0, None, "warning")}),
    ],
)
def test_alerts_are_read_from_final_minutes(
    values: list[float], expected: set[tuple[str, int, int | None, str]]
) -> None:
    rows = [replace(ROW, window=at * MINUTE, avg_handle_time=value) for at, value in enumerate(values)]

    found = {(rule, begin // MINUTE, end and end // MINUTE, severity) for rule, begin, end, severity in alerts(rows)}

    assert found == expected
    assert alerts([replace(row, final=False) for row in rows]) == set()


def test_minutes_without_a_time_are_no_evidence() -> None:
    rows = [replace(ROW, window=at * MINUTE, avg_handle_time=250.0 * (not at), handles=not at) for at in range(3)]

    assert alerts(rows) == {("handle-time", 0, None, "warning")}
