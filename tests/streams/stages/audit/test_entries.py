from dataclasses import replace

import pytest

from schemas.avro import Codec
from schemas.dead_letters import DEAD_REASON
from schemas.envelope import Consumed
from schemas.records.audit import AuditEntry
from schemas.releases import FileSchemaIds
from schemas.topics.audit import DASHBOARD_AUDIT
from streams.core.contract import Chunk
from streams.stages.audit.entries import OUT_OF_RANGE, UNDECODABLE, Partition
from tests.support.audit_trail import entries, record

CODEC = Codec(FileSchemaIds())
encode, decode = CODEC.encoder(AuditEntry), CODEC.decoder(AuditEntry)
MADE = entries(4, partitions=1)


def chunk(*made: AuditEntry | bytes) -> Chunk:
    values = [each if isinstance(each, bytes) else encode(each) for each in made]
    return Chunk(DASHBOARD_AUDIT.name, 0, [Consumed(offset, value) for offset, value in enumerate(values, 7)])


def partition(*, head_due: int = 1000) -> Partition:
    return Partition(0, decode=decode, head_due=lambda at: at >= head_due)


def test_entries_are_handed_on_once_with_their_offsets() -> None:
    core = partition()

    assert core.fold(chunk(*MADE[:2])) == 0
    assert core.flush(0.0, seal=True).entries == [(7, MADE[0]), (8, MADE[1])]
    assert not core.flush(0.0, seal=True)


def test_a_head_is_asked_for_when_it_is_due() -> None:
    core = partition()

    assert not core.flush(0.999, seal=True)
    assert core.flush(1.0, seal=True).head


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", UNDECODABLE),
        (b"garbage", UNDECODABLE),
        (replace(MADE[0], partition=1), OUT_OF_RANGE),
        (replace(MADE[0], sequence=2**60), OUT_OF_RANGE),
        (replace(MADE[0], record=record(1, status="another")), OUT_OF_RANGE),
        (replace(MADE[0], record=record(1, latency_ms=float("inf"))), OUT_OF_RANGE),
    ],
)
def test_what_cannot_be_written_down_is_a_dead_letter(value: AuditEntry | bytes, reason: str) -> None:
    core = partition()

    assert core.fold(chunk(MADE[0], value, MADE[1])) == 1

    flush = core.flush(0.0, seal=True)
    assert [dict(letter.headers)[DEAD_REASON].decode() for letter in flush.outputs] == [reason]
    assert [offset for offset, _ in flush.entries] == [7, 9]


def test_an_entry_that_does_not_fit_its_chain_is_written_down_all_the_same() -> None:
    core = partition()
    forged = replace(MADE[1], hash="0" * 64)

    assert core.fold(chunk(MADE[3], forged)) == 0
    assert [entry for _, entry in core.flush(0.0, seal=True).entries] == [MADE[3], forged]
