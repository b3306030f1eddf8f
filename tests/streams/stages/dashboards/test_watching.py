"""Others' changes, told from ours."""

from streams.stages.dashboards.watching import PATIENCE, Told, Watch, line

THEIRS = Told("d", "dashboard.updated", "Eve", '"7"', 1000)


def test_a_change_that_we_made_is_not_shown_even_if_we_hear_of_it_later() -> None:
    watch = Watch()
    watch.told(THEIRS, now=10)
    watch.ours("d", '"7"')

    assert watch.foreign(10 + PATIENCE) == []


def test_a_change_of_others_is_shown_once() -> None:
    watch = Watch()
    watch.told(THEIRS, now=10)
    watch.told(THEIRS, now=11)
    watch.ours("d", '"6"')
    watch.ours("other", '"7"')

    assert watch.foreign(10 + PATIENCE - 1) == []
    assert watch.foreign(10 + PATIENCE) == [THEIRS]
    watch.told(THEIRS, now=98)
    assert watch.foreign(198) == []


def test_a_line_says_who_and_cannot_move_the_cursor() -> None:
    assert line(THEIRS) == 'd: updated by Eve, now "7"'
    assert line(Told("d", "dashboard.created", "\x1b[2J", None, 0)) == "d: created by  [2J, now unknown"
