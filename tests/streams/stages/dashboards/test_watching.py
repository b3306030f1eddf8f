"""Others' changes, told from ours."""

from schemas.records.audit import AuditRecord
from streams.stages.dashboards.watching import PATIENCE, Told, Watch, line

THEIRS = Told("d", "dashboard.updated", "Eve", '"7"', 1000)
INTENT = AuditRecord("intent", "c.1", 0, "d", "UPDATE", "", None, None, None, "kim", '"6"', None)
APPLIED = AuditRecord("outcome", "c.1", 0, "d", "UPDATE", "", "applied", None, None, "kim", '"6"', '"7"')


def test_a_change_that_we_made_is_not_shown_even_if_its_answer_comes_later() -> None:
    watch = Watch()
    watch.audited(INTENT)
    watch.told(THEIRS, now=10)
    assert watch.foreign(11) == []
    watch.audited(APPLIED)

    assert watch.foreign(10 + PATIENCE) == []
    assert not watch.waiting


def test_a_change_of_others_is_shown_once() -> None:
    watch = Watch()
    watch.told(THEIRS, now=10)
    watch.told(THEIRS, now=11)

    assert watch.foreign(11) == [THEIRS]
    watch.told(THEIRS, now=98)
    assert watch.foreign(198) == []


def test_an_attempt_of_which_nothing_is_heard_keeps_a_change_back_for_so_long() -> None:
    watch = Watch()
    watch.audited(INTENT)
    watch.told(THEIRS, now=10)

    assert watch.foreign(10 + PATIENCE - 1) == []
    assert watch.foreign(10 + PATIENCE) == [THEIRS]


def test_a_line_says_who_and_cannot_move_the_cursor() -> None:
    assert line(THEIRS) == 'd: updated by Eve, now "7"'
    assert line(Told("d", "dashboard.created", "\x1b[2J", None, 0)) == "d: created by  [2J, now unknown"
