"""A topic is held against its chains and against the heads that were signed."""

from collections.abc import Sequence
from dataclasses import replace

from schemas.records.audit import AuditEntry, AuditHead, Tip
from streams.core.audit.canonical import digest
from streams.core.audit.findings import Kind, Report
from streams.core.audit.lines import written
from streams.core.audit.topic_check import check_topic
from tests.support.audit_trail import KEYS, SIGN, entries

MADE = entries(8)


def head(made: Sequence[AuditEntry], number: int = 1) -> AuditHead:
    chains = {str(each.partition): Tip(sequence=each.sequence, epoch=each.epoch, hash=each.hash) for each in made}
    return SIGN(AuditHead(number, "20260101", 9, "a" * 64, number, "0" * 64, chains, "", ""))


HEADS = [head(MADE[:4]), head(MADE, 2)]


def check(
    made: Sequence[AuditEntry | None],
    heads: Sequence[AuditHead | None] = HEADS,
    *,
    first: int = 0,
    against: str | None = None,
) -> Report:
    offsets: dict[int, int] = {}
    records = []
    for entry in made:
        partition = entry.partition if entry else 0
        offset = offsets.get(partition, first)
        offsets[partition] = offset + 1
        records.append((partition, offset, entry))
    return check_topic("t", records, heads, KEYS, against=against)


def test_a_topic_as_it_was_written_is_sound() -> None:
    report = check(MADE)

    assert report.findings == []
    assert (report.entries, report.repeated, report.heads, report.head_at) == (8, 0, 2, 2)
    assert report.head == digest(written(HEADS[1]))


def test_retention_may_have_taken_the_beginning() -> None:
    assert check(MADE[4:], first=2).findings == []
    assert check(MADE[4:]).findings[0].kind is Kind.REMOVED  # offset 0 is there, so nothing was taken


def test_records_that_heads_confirm_and_that_are_gone_were_cut_off() -> None:
    findings = check(MADE[:6]).findings

    assert (findings[0].kind, findings[0].where) == (Kind.CUT_OFF, "t partition 0 record 4")
    assert check([], HEADS).findings[0].kind is Kind.CUT_OFF


def test_a_record_altered_and_all_hashed_anew_is_found_by_the_heads() -> None:
    findings = check(entries(8, actor="nobody")).findings

    assert (findings[0].kind, findings[0].where) == (Kind.REHASHED, "t partition 0 record 2")
    assert check(entries(8, actor="nobody"), []).findings == []


def test_a_record_that_is_no_entry_is_named() -> None:
    findings = check([MADE[0], None, *MADE[1:]]).findings

    assert (findings[0].kind, findings[0].where) == (Kind.ALTERED, "t partition 0 offset 1")


def test_the_first_of_each_broken_chain_is_named_and_its_heads_are_not_asked() -> None:
    altered = [replace(each, epoch=9) if each is MADE[2] else each for each in MADE]

    findings = check(altered).findings

    assert [each.kind for each in findings] == [Kind.ALTERED]
    assert findings[0].where == "t partition 0 offset 1"


def test_heads_that_are_not_signed_are_named() -> None:
    assert check(MADE, [replace(HEADS[0], time=5), HEADS[1]]).findings[0].kind is Kind.HEADS
    assert check(MADE, [None, HEADS[1]]).findings[0].kind is Kind.HEADS


def test_a_head_that_is_kept_elsewhere_has_to_be_there() -> None:
    kept = digest(written(HEADS[1]))

    assert check(MADE, against=kept).findings == []
    assert check(MADE, HEADS[:1], against=kept).findings[0].kind is Kind.CUT_OFF
