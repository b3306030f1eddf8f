"""Which changes are ours, by what the audit trail says."""

from schemas.records.audit import AuditRecord, Kind, Status
from streams.core.audit.ours import Ours


def record(kind: Kind, status: Status | None = None, etag: str | None = None, *, attempt: str = "c.1") -> AuditRecord:
    return AuditRecord(kind, attempt, 0, "d", "UPDATE", "", status, None, None, "kim", '"1"', etag)


def test_what_an_attempt_led_to_is_ours_and_nothing_else_is() -> None:
    ours = Ours()
    ours.take(record("intent"))
    assert ours.open("d") == "c.1"
    ours.take(record("outcome", "applied", '"2"'))

    assert ours.open("d") is None
    assert ours.made("d", '"2"')
    assert not ours.made("d", '"1"')
    assert not ours.made("other", '"2"')
    assert not ours.made("d", None)


def test_an_attempt_without_an_answer_is_open_until_it_is_settled() -> None:
    ours = Ours()
    ours.take(record("intent"))
    ours.take(record("outcome", "unknown"))
    assert ours.open("d") == "c.1"

    ours.take(record("settled", "applied", '"2"'))

    assert ours.open("d") is None
    assert ours.made("d", '"2"')


def test_what_is_told_of_an_earlier_attempt_leaves_a_later_one_open() -> None:
    ours = Ours()
    ours.take(record("intent", attempt="c.2"))
    ours.take(record("outcome", "contended", attempt="c.1"))
    assert ours.open("d") == "c.2"

    ours.take(record("outcome", "conflict", attempt="later.3"))
    assert ours.open("d") == "c.2"


def test_only_so_many_are_remembered() -> None:
    ours = Ours(remembered=2)
    for number in range(3):
        ours.take(record("outcome", "applied", f'"{number}"'))

    assert [ours.made("d", f'"{number}"') for number in range(3)] == [False, True, True]
