from dataclasses import replace

import pytest

from schemas.records.audit import AuditEntry
from streams.core.audit.chain_check import ChainCheck
from streams.core.audit.findings import Finding, Kind
from tests.support.audit_trail import entries

MADE = entries(5, partitions=1)


def found(made: list[AuditEntry], *, whole: bool = True) -> Finding | None:
    check = ChainCheck(0, whole=whole)
    for offset, entry in enumerate(made):
        check.take(entry, f"offset {offset}")
    return check.finding


def test_a_chain_as_it_was_written_is_sound() -> None:
    assert found(MADE) is None


@pytest.mark.parametrize(("at", "where"), [(0, "offset 0"), (1, "offset 1"), (3, "offset 3")])
def test_a_record_that_is_missing_is_named_by_what_stands_there(at: int, where: str) -> None:
    finding = found(MADE[:at] + MADE[at + 1 :])

    assert finding is not None
    assert (finding.kind, finding.where) == (Kind.REMOVED, where)
    assert f"from {at + 1} on" in finding.why


def test_a_record_that_stands_behind_later_ones_was_reordered() -> None:
    finding = found([MADE[0], MADE[2], MADE[1], *MADE[3:]])

    assert finding is not None
    assert (finding.kind, finding.where) == (Kind.REORDERED, "offset 1")


def test_a_record_that_was_altered_is_named() -> None:
    altered = replace(MADE[2], record=replace(MADE[2].record, actor="nobody"))

    finding = found([*MADE[:2], altered, *MADE[3:]])

    assert finding is not None
    assert (finding.kind, finding.where) == (Kind.ALTERED, "offset 2")


def test_a_record_that_was_altered_and_hashed_anew_is_named_by_what_follows_it() -> None:
    altered = entries(1, partitions=1, after=MADE[:2], actor="nobody")

    finding = found([*MADE[:2], *altered, *MADE[3:]])

    assert finding is not None
    assert (finding.kind, finding.where) == (Kind.ALTERED, "offset 2")


@pytest.mark.parametrize("entry", [replace(MADE[1], partition=1), replace(MADE[1], sequence=2**60)])
def test_an_entry_of_another_chain_is_altered(entry: AuditEntry) -> None:
    finding = found([MADE[0], entry])

    assert finding is not None
    assert finding.kind is Kind.ALTERED


def test_a_topic_may_have_lost_its_beginning_to_retention() -> None:
    assert found(MADE[2:], whole=False) is None
    assert found([*MADE[2:], MADE[1]], whole=False) is None  # a late copy of what retention took


def test_the_first_finding_stays() -> None:
    finding = found([MADE[0], MADE[3], MADE[1], MADE[2]])

    assert finding is not None
    assert finding.where == "offset 1"


def test_an_owner_that_was_replaced_is_named_even_when_it_follows_its_successor() -> None:
    later = entries(1, partitions=1, epoch=9, after=MADE[:2])
    zombie = entries(1, partitions=1, epoch=1, after=[*MADE[:2], *later])

    finding = found([*MADE[:2], *later, *zombie])

    assert finding is not None
    assert (finding.kind, finding.where) == (Kind.FORKED, "offset 3")
