"""Entries become lines of the day they are written on; heads come in time; what was altered is not written on."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.audit.findings import Kind
from streams.core.audit.journal import HEAD_EVERY, AlteredError, Journal, LastDay
from streams.core.audit.lines import day_file, heads_file, read_head, read_line
from tests.support.audit_trail import (
    DAY,
    KEYS,
    MINUTE,
    SIGN,
    START,
    Files,
    apply,
    check,
    days,
    entries,
    hashed_anew,
    split,
    trail,
)


def last_day(files: Files) -> LastDay | None:
    """Return what the stage reads when it starts: lines without their ends."""
    found = days(files)
    if not found:
        return None
    names = [named(day) for day in found[-1:] + found[-2:-1] for named in (day_file, heads_file)]
    texts = [[line.removesuffix(b"\n") for line in split(files.get(name, b""))] for name in names]
    lines, heads, earlier, before = [*texts, [], []][:4]
    return LastDay(found[-1], lines, heads, before, earlier)


def resumed(files: Files) -> Journal:
    return Journal(SIGN, last_day(files), KEYS)


def test_the_first_entry_begins_a_file_and_its_header_is_signed() -> None:
    files: Files = {}

    writes, heads = Journal(SIGN).append(list(enumerate(entries(1))), START)

    apply(files, writes)
    day = days(files)[0]
    assert [write.file for write in writes] == [day_file(day), heads_file(day), day_file(day)]
    assert [read_line(line.strip()).number for line in split(files[day_file(day)])] == [1, 2]
    assert [(head.lines, head.number) for head in heads] == [(1, 1)]


def test_an_empty_folder_stays_empty_without_entries() -> None:
    assert Journal(SIGN).append([], START) == ([], [])
    assert Journal(SIGN).head(START) == ([], [])


def test_a_head_is_due_a_minute_after_the_last_one() -> None:
    journal = Journal(SIGN)
    journal.append(list(enumerate(entries(1))), START)

    assert not journal.is_head_due(START + HEAD_EVERY - 1)
    assert journal.is_head_due(START + HEAD_EVERY)
    assert not journal.is_signed
    assert journal.append([], START + HEAD_EVERY - 1) == ([], [])
    assert len(journal.append([], START + HEAD_EVERY)[1]) == 1
    assert journal.is_signed


def test_the_next_day_begins_behind_a_head_of_everything_before() -> None:
    made = entries(2)
    files = trail(made, every=DAY)
    first, second = days(files)

    header = read_line(split(files[day_file(second)])[0].strip())
    last = read_head(split(files[heads_file(first)])[-1].strip())

    assert last.lines == 2
    assert header.previous == last.line
    assert check(files).findings == []


def test_a_quiet_midnight_begins_a_file_all_the_same() -> None:
    files: Files = {}
    journal = Journal(SIGN)
    apply(files, journal.append(list(enumerate(entries(1))), START)[0])
    apply(files, journal.append([], START + DAY)[0])

    assert len(days(files)) == 2
    assert check(files).findings == []


def test_a_clock_that_is_set_back_goes_back_to_no_earlier_file() -> None:
    files: Files = {}
    journal = Journal(SIGN)
    for offset, (entry, now) in enumerate(zip(entries(3), (START, START + DAY, START - DAY), strict=True)):
        apply(files, journal.append([(offset, entry)], now)[0])

    assert len(days(files)) == 2
    assert check(files).findings == []


def test_heads_are_signed_in_time_by_a_clock_that_was_set_back() -> None:
    journal = Journal(SIGN)
    journal.append(list(enumerate(entries(1))), START + 1000 * DAY)

    assert journal.append([], START) == ([], [])
    assert len(journal.append([], START + HEAD_EVERY)[1]) == 1
    assert journal.append([], START + HEAD_EVERY + 1) == ([], [])


def test_an_entry_that_bears_the_hash_of_another_is_written_down() -> None:
    made = entries(1)
    journal, files = Journal(SIGN), dict[str, bytes]()
    apply(files, journal.append(list(enumerate(made)), START)[0])

    apply(files, journal.append([(1, replace(made[0], epoch=9))], START)[0])

    assert check(files).findings[0].kind is Kind.ALTERED


def test_what_comes_again_is_not_written_again() -> None:
    made = list(enumerate(entries(4)))
    files: Files = {}
    apply(files, Journal(SIGN).append(made[:3], START)[0])

    again = resumed(files)
    apply(files, again.append(made, START + 1)[0])

    assert check(files).entries == 4
    assert check(files).repeated == 0


def test_what_comes_again_behind_midnight_is_not_written_again() -> None:
    made = list(enumerate(entries(4)))
    files: Files = {}
    journal = Journal(SIGN)
    apply(files, journal.append(made[:2], START)[0])
    apply(files, journal.append(made[2:3], START + DAY)[0])

    apply(files, resumed(files).append(made, START + DAY + 1)[0])

    assert (check(files).entries, check(files).repeated) == (4, 0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6), st.integers(0, 2 * DAY)), min_size=1, max_size=5))
def test_a_kill_between_any_two_writes_leaves_a_trail_that_verifies(lives: list[tuple[int, int, int]]) -> None:
    """A killed worker's unfinished line was taken away by whoever opened the folder; the entries come again."""
    made = list(enumerate(entries(15)))
    files: Files = {}
    done, now = 0, START
    for number, written, pause in lives:
        journal = resumed(files)
        writes, _ = journal.append(made[done : done + number], now)
        apply(files, writes[:written])
        done += number if written >= len(writes) else 0
        now += pause
    journal = resumed(files)
    apply(files, journal.append(made[done:], now)[0])
    apply(files, journal.head(now)[0])

    report = check(files)

    assert report.findings == []
    assert (report.entries, report.unsigned) == (15, 0)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_folder_that_was_altered_is_not_written_on(number: int) -> None:
    files = trail(entries(3), every=MINUTE // 10)
    name = day_file(days(files)[0])
    lines = split(files[name])

    for changed in (
        b"".join(lines[:number]),
        b"".join(lines[:number] + lines[number + 1 :]),
        files[name].replace(b'"ann"', b'"bob"', 1),
        hashed_anew(files, number - 1, actor="nobody")[name],
    ):
        with pytest.raises(AlteredError, match=r"dashboard_audit_\d{8}\.jsonl"):
            resumed({**files, name: changed})


def test_heads_that_were_altered_are_not_followed() -> None:
    files = trail(entries(3), every=MINUTE // 10)
    name = heads_file(days(files)[0])
    *earlier, last = split(files[name])
    for changed in (last.replace(b'"lines":', b'"lines":1'), last.replace(b"{", b"{ "), b"{}\n"):
        with pytest.raises(AlteredError, match=r"heads\.jsonl, last line"):
            resumed({**files, name: b"".join([*earlier, changed])})
