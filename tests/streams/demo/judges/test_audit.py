from typing import Any

from schemas.records.audit import AuditEntry
from streams.core.audit.chain import follow
from streams.demo.judges.audit import lost_edits, mistakes
from tests.support.audit_trail import record


def entry(number: int, **changes: object) -> AuditEntry:
    return follow(None, record(number, dashboard_id="d", etag_before='"1"', **changes), partition=0, epoch=1)


def attempt(number: int, *statuses: str) -> list[AuditEntry]:
    kinds = ["outcome", "settled"]
    return [entry(number), *(entry(number, kind=kinds[at], status=status) for at, status in enumerate(statuses))]


def write(number: int, **changes: Any) -> dict[str, Any]:
    values = {
        "order": number,
        "method": "PUT",
        "dashboard_id": "d",
        "key": f"a-{number}",
        "if_match": '"1"',
        "payload_hash": record(number).payload_hash,
        "status": 200,
        "etag_after": '"2"',
    }
    return values | changes


def test_a_trail_that_agrees_has_no_mistakes() -> None:
    entries = [
        *attempt(1, "applied"),
        *attempt(2, "unknown", "applied"),
        *attempt(3, "conflict"),
        *attempt(4, "unknown", "failed"),  # its worker was killed between the intent and the write
    ]

    refused = write(1, status=429, etag_after=None)
    assert mistakes([refused, refused, write(1), write(2), write(3, status=412, etag_after=None)], entries) == []


def test_an_attempt_whose_end_nobody_knows_may_have_been_taken_or_not() -> None:
    entries = attempt(1, "unknown", "unknown")

    assert (
        mistakes([], entries) == mistakes([write(1)], entries) == mistakes([write(1, etag_after=None)], entries) == []
    )


def test_what_does_not_agree_is_said() -> None:
    assert mistakes([write(1)], []) == ["PUT 1 of d (a-1) has no intent"]
    assert mistakes([write(1), write(1)], attempt(1, "applied")) == ["a-1 was written 2 times"]
    assert "nothing else" in mistakes([write(1)], attempt(1))[0]
    assert "saw no such write" in mistakes([], attempt(1, "applied"))[0]
    assert "taken, and is recorded as failed" in mistakes([write(1)], attempt(1, "failed"))[0]
    assert "not taken" in mistakes([write(1, etag_after=None)], attempt(1, "applied"))[0]
    assert "the intent's payload" in mistakes([write(1, payload_hash="x")], attempt(1, "applied"))[0]
    assert "the intent's ETag" in mistakes([write(1, if_match=None)], attempt(1, "applied"))[0]
    assert "without an intent" in mistakes([], [entry(1, kind="outcome", status="applied")])[0]
    assert mistakes([], [entry(1, kind="outcome", status="expired")]) == []


def test_an_edit_that_is_gone_is_named() -> None:
    def edit(value: object, *path: str) -> dict[str, Any]:
        return {"dashboard_id": "d", "path": list(path), "value": value, "by": "Maria"}

    document = {"description": "b", "widgets": [{"title": "W", "refreshInterval": 7}]}
    there = [edit("a", "description"), edit("b", "description"), edit(7, "widgets", "W", "refreshInterval"), edit({})]

    assert lost_edits(there, [{"id": "d", "document": document}]) == []
    gone = lost_edits([edit(1, "widgets", "V", "title"), edit("x", "name", "y")], [{"id": "d", "document": document}])
    assert gone == [
        "d: what Maria set at widgets/V/title is None, not 1",
        "d: what Maria set at name/y is None, not 'x'",
    ]
