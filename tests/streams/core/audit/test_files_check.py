"""Whatever is done to a byte or a line of any day, verifying finds it and names the place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.audit.findings import Kind
from streams.core.audit.heads import new_key, private_key, signer
from streams.core.audit.journal import Journal
from streams.core.audit.lines import day_file, heads_file
from tests.support.audit_trail import (
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

MADE = entries(9)
WHOLE = trail(MADE, every=9 * 3_600_000)  # four days
DAYS = days(WHOLE)
FILES = sorted(WHOLE)
positions = st.sampled_from(FILES).flatmap(lambda name: st.tuples(st.just(name), st.integers(0, len(WHOLE[name]) - 1)))


def test_a_whole_trail_verifies() -> None:
    report = check(WHOLE)

    assert report.findings == []
    assert (report.days, report.entries, report.repeated, report.unsigned) == (4, 9, 0, 0)
    assert report.head is not None


@settings(max_examples=400, deadline=None)
@given(positions, st.integers(1, 255))
def test_another_byte_anywhere_is_found(at: tuple[str, int], difference: int) -> None:
    name, place = at
    data = bytearray(WHOLE[name])
    data[place] ^= difference

    assert check({**WHOLE, name: bytes(data)}).findings


@settings(max_examples=200, deadline=None)
@given(positions)
def test_a_byte_taken_out_anywhere_is_found(at: tuple[str, int]) -> None:
    name, place = at
    data = WHOLE[name]

    assert check({**WHOLE, name: data[:place] + data[place + 1 :]}).findings


@settings(max_examples=200, deadline=None)
@given(positions, st.binary(min_size=1, max_size=3))
def test_bytes_put_in_anywhere_are_found(at: tuple[str, int], more: bytes) -> None:
    name, place = at
    data = WHOLE[name]

    changed = data[:place] + more + data[place:]

    assert changed == data or check({**WHOLE, name: changed}).findings


@settings(max_examples=200, deadline=None)
@given(positions)
def test_a_file_cut_anywhere_is_found(at: tuple[str, int]) -> None:
    name, place = at
    if name == heads_file(DAYS[-1]) and not WHOLE[name][:place].endswith(b"\n") and place:
        assert check({**WHOLE, name: WHOLE[name][:place]}).findings
        return

    report = check({**WHOLE, name: WHOLE[name][:place]}, against=str(check(WHOLE).head))

    assert report.findings


@pytest.mark.parametrize("name", FILES)
def test_a_line_taken_out_is_named(name: str) -> None:
    lines = split(WHOLE[name])
    for number in range(len(lines)):
        left = b"".join(lines[:number] + lines[number + 1 :])

        findings = check({**WHOLE, name: left}, against=str(check(WHOLE).head)).findings

        assert findings
        if name == day_file(DAYS[0]) and 0 < number < len(lines) - 1:
            assert (findings[0].kind, findings[0].where) == (Kind.REMOVED, f"{name} line {number + 1}")


@pytest.mark.parametrize("name", FILES)
def test_lines_that_change_places_are_named(name: str) -> None:
    lines = split(WHOLE[name])
    for number in range(len(lines) - 1):
        swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]

        findings = check({**WHOLE, name: b"".join(swapped)}).findings

        assert findings
        if name == day_file(DAYS[0]):
            assert (findings[0].kind, findings[0].where) == (Kind.REORDERED, f"{name} line {number + 1}")


@pytest.mark.parametrize("name", FILES)
def test_a_line_that_stands_twice_is_named(name: str) -> None:
    lines = split(WHOLE[name])
    for number in range(len(lines)):
        findings = check({**WHOLE, name: b"".join([*lines[: number + 1], *lines[number:]])}).findings

        assert findings
        assert findings[0].where == f"{name} line {number + 2}"


@pytest.mark.parametrize("day", DAYS)
def test_a_day_that_is_gone_is_named(day: str) -> None:
    left = {name: data for name, data in WHOLE.items() if day not in name}

    findings = check(left, against=str(check(WHOLE).head)).findings

    assert findings
    if day != DAYS[-1]:
        assert (findings[0].kind, findings[0].where) == (Kind.REMOVED, day_file(day))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_found(name: str) -> None:
    assert check({**WHOLE, name: b""}, against=str(check(WHOLE).head)).findings


@pytest.mark.parametrize("at", range(len(MADE)))
def test_a_record_altered_and_all_hashed_anew_without_the_key_is_found(at: int) -> None:
    forged = hashed_anew(WHOLE, at, actor="nobody")

    findings = check(forged).findings

    assert findings[0].kind is Kind.REHASHED
    assert check({name: data for name, data in forged.items() if ".heads." not in name}).findings


def test_heads_signed_with_another_key_are_found() -> None:
    forged = trail(MADE, sign=signer(private_key(new_key()[0])))

    assert "not trusted" in check(forged).findings[0].why


def test_the_first_line_that_no_head_confirms_is_named() -> None:
    whole = trail(entries(6))
    day = days(whole)[0]

    findings = check(hashed_anew(whole, 1, actor="nobody")).findings

    assert (findings[0].kind, findings[0].where) == (Kind.REHASHED, f"{day_file(day)} line 3")


def test_an_altered_record_is_named() -> None:
    name = day_file(DAYS[0])

    findings = check({**WHOLE, name: WHOLE[name].replace(b'"actor":"ann"', b'"actor":"bob"', 1)}).findings

    assert (findings[0].kind, findings[0].where.split(" (")[0]) == (Kind.ALTERED, f"{name} line 2")


def test_lines_cut_off_at_the_end_are_named() -> None:
    name = day_file(DAYS[-1])
    lines = split(WHOLE[name])

    findings = check({**WHOLE, name: b"".join(lines[:-1])}).findings

    assert (findings[0].kind, findings[0].where) == (Kind.CUT_OFF, f"{name} line {len(lines)}")


def test_what_a_zombie_wrote_is_named() -> None:
    first = entries(3, partitions=1)
    owner = first + entries(2, partitions=1, epoch=7, after=first)
    zombie = entries(1, partitions=1, epoch=1, after=first, actor="zombie")

    late = check(trail([*owner, *zombie])).findings
    early = check(trail([*first, *zombie, *owner[3:]])).findings

    assert [each.kind for each in late + early] == [Kind.FORKED, Kind.FORKED]
    assert "epoch 1, and there is another one of epoch 7" in late[0].why
    assert "epoch 7, goes back" in early[0].why


def test_an_entry_that_was_published_twice_is_no_fork() -> None:
    made = entries(4, partitions=1)
    files: Files = {}
    journal = Journal(SIGN)
    apply(files, journal.append(list(enumerate(made)), START)[0])
    journal._known.clear()  # it does not remember
    apply(files, journal.append([(4, made[1]), (5, made[3])], START + 1)[0])
    apply(files, journal.head(START + 2)[0])

    report = check(files)

    assert report.findings == []
    assert (report.entries, report.repeated) == (4, 2)


def test_lines_that_no_head_confirms_are_counted_and_late_ones_found() -> None:
    made = entries(4, partitions=1)
    files: Files = {}
    journal = Journal(SIGN)
    for offset, entry in enumerate(made):
        apply(files, journal.append([(offset, entry)], START + offset * 10)[0])
    day = days(files)[0]

    assert (check(files).findings, check(files).unsigned) == ([], 4)

    apply(files, journal.append([(4, entries(5, partitions=1)[4])], START + 2 * MINUTE)[0])
    assert check(files).findings == []
    cut = b"".join(split(files[heads_file(day)])[:1])
    findings = check({**files, heads_file(day): cut}).findings
    assert (findings[0].kind, findings[0].where) == (Kind.UNSIGNED, f"{day_file(day)} line 6")


def test_a_folder_may_begin_later_when_that_is_said() -> None:
    left = {name: data for name, data in WHOLE.items() if DAYS[0] not in name}

    assert check(left).findings[0].kind is Kind.REMOVED
    assert check(left, since=DAYS[1]).findings == []
    assert check(left, since=DAYS[0]).findings[0].where == day_file(DAYS[0])


def test_a_head_that_is_kept_elsewhere_tells_of_lines_and_heads_cut_off_together() -> None:
    made = entries(3, partitions=1)
    before, after = trail(made[:2]), trail(made)

    assert check(before).findings == []
    assert check(before, against=str(check(after).head)).findings[0].kind is Kind.CUT_OFF
    assert check(after, against=str(check(after).head)).findings == []
