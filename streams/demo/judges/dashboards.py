"""What became of dashboards that are kept in files, beside those who edit them in CXone. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.records.audit import AuditEntry
from streams.core.audit.findings import Report
from streams.demo.judges.audit import Row, lost_edits, mistakes
from streams.demo.keeper import Kept


@dataclass(frozen=True, slots=True)
class DashboardVerdict:
    """`mismatches` has a sentence for everything that isn't as it should be.

    Attributes:
        turns: how often files were applied, by how it ended.
        writes: that CXone saw.
        edits: of others.
        records: of the audit trail.
    """

    turns: Mapping[str, int]
    writes: int
    edits: int
    records: int
    mismatches: Sequence[str]

    def shown(self) -> dict[str, Any]:
        """Return what the report says."""
        return {
            "turns": dict(self.turns),
            "writes": self.writes,
            "others_edits": self.edits,
            "audit_records": self.records,
            "audit_holds": not any(each.startswith("audit ") for each in self.mismatches),
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """Lines of the stand-in's ledgers: what clients wrote, what others changed, what there is now."""

    writes: Sequence[Row]
    edits: Sequence[Row]
    documents: Sequence[Row]


def judge(kept: Kept, ledger: Ledger, entries: Iterable[AuditEntry], verified: Report) -> DashboardVerdict:
    """Hold the trail against what CXone saw, and the documents against what others changed."""
    found = list(entries)
    wrong = [
        *(f"audit trail: {finding}" for finding in verified.findings),
        *(f"audit and CXone: {each}" for each in mistakes(ledger.writes, found)),
        *(f"an edit of others is lost: {each}" for each in lost_edits(ledger.edits, ledger.documents)),
        *(f"files could not be applied: {each}" for each in kept.failures),
    ]
    return DashboardVerdict(dict(kept.turns), len(ledger.writes), len(ledger.edits), verified.entries, wrong)
