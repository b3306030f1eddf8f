from collections import Counter

from streams.core.audit.findings import Finding, Kind, Report
from streams.demo.judges.dashboards import Ledger, judge
from streams.demo.keeper import Kept

NOTHING = Ledger((), (), ())


def test_what_agrees_has_no_mismatches() -> None:
    verdict = judge(Kept(Counter(applied=3)), NOTHING, (), Report(entries=8))

    assert verdict.mismatches == []
    assert verdict.shown() == {
        "turns": {"applied": 3},
        "writes": 0,
        "others_edits": 0,
        "audit_records": 8,
        "audit_holds": True,
    }


def test_each_kind_of_mistake_is_told() -> None:
    write = {"order": 1, "method": "PUT", "dashboard_id": "d", "key": "a", "status": 200, "etag_after": '"2"'}
    edit = {"dashboard_id": "d", "path": ["description"], "value": "x", "by": "Maria"}
    broken = Report(findings=[Finding(Kind.ALTERED, "line 2", "why")])

    verdict = judge(Kept(failures=["exit status 4: words"]), Ledger([write], [edit], []), (), broken)

    assert [each.split(":")[0] for each in verdict.mismatches] == [
        "audit trail",
        "audit and CXone",
        "an edit of others is lost",
        "files could not be applied",
    ]
    assert verdict.shown()["audit_holds"] is False
