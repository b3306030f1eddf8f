from schemas.records.audit import AuditEntry
from streams.core.audit.chain import follow
from streams.core.audit.history import history
from tests.support.audit_trail import record


def entry(number: int, **changes: object) -> AuditEntry:
    return follow(None, record(number, dashboard_id="d", **changes), partition=0, epoch=1)


def test_records_of_one_attempt_come_together_in_the_order_in_which_attempts_began() -> None:
    first = entry(1), entry(1, kind="outcome", status="unknown"), entry(1, kind="settled", status="applied")
    second = entry(0), entry(0, kind="outcome", status="conflict")

    attempts = history([*first, *second, first[0], entry(3)], "d")

    assert [attempt.first.attempt for attempt in attempts] == ["a-0", "a-1", "a-3"]
    assert [attempt.status for attempt in attempts] == [
        "conflict",
        "applied",
        "under way, or its worker was killed",
    ]


def test_other_dashboards_are_left_out() -> None:
    assert history([entry(1)], "e") == []


def test_an_attempt_may_have_no_intent() -> None:
    (attempt,) = history([entry(1, kind="outcome", status="expired")], "d")

    assert (attempt.intent, attempt.first.status) == (None, "expired")
