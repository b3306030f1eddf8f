"""What a door's caller, its metrics and the topics say about Data Actions. No I/O."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letters import DEAD_REASON, DEAD_STAGE
from schemas.records import CXoneInteraction, DashboardChange, InteractionScore

DEAD_STAGES = {"connect webhooks", "actions", "scoring"}
KEPT = 200_000  # calls, and records of each kind; counts go on
RECENT = 1000  # accepted calls that percentiles are of
COMMITS, GROUPED = "cxone_kafka_transaction_commits_total ", "cxone_kafka_transaction_group_sum "
OK = 200


def _kept() -> deque[Any]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Actions:
    """`calls` are lines of the caller's ledger; `typed`, `changes` and `scores` records of the topics, in order."""

    calls: deque[Mapping[str, Any]] = field(default_factory=_kept)
    typed: deque[CXoneInteraction] = field(default_factory=_kept)
    changes: deque[DashboardChange] = field(default_factory=_kept)
    scores: deque[InteractionScore] = field(default_factory=_kept)
    dead: deque[tuple[str, str]] = field(default_factory=_kept)  # stage, reason
    counts: Counter[str] = field(default_factory=Counter)
    transactions: int = 0
    grouped: int = 0  # requests in them
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def dead_letters(self) -> Counter[str]:
        """Return how many records were refused by reason."""
        return Counter(reason for _, reason in self.dead)

    def called(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take new lines of the caller's ledger."""
        self.calls.extend(rows)
        accepted = [row for row in rows if row["status"] == OK]
        self._seconds.extend(row["seconds"] for row in accepted)
        self.counts["called"] += len(rows)
        self.counts["accepted"] += len(accepted)
        self.counts["again"] += sum(row["again"] for row in accepted)

    def measured(self, metrics: Sequence[str]) -> None:
        """Take the door's metrics."""
        for row in metrics:
            if row.startswith(COMMITS):
                self.transactions = int(float(row.removeprefix(COMMITS)))
            elif row.startswith(GROUPED):
                self.grouped = int(float(row.removeprefix(GROUPED)))

    def interaction(self, record: CXoneInteraction) -> None:
        """Take a record of cxone-interactions-ml."""
        self.typed.append(record)
        self.counts["typed"] += 1

    def change(self, record: DashboardChange) -> None:
        """Take a record of cxone.dashboard.changes."""
        self.changes.append(record)
        self.counts["changes"] += 1

    def score(self, record: InteractionScore) -> None:
        """Take a record of cxone.ml.scores."""
        self.scores.append(record)
        self.counts["scored"] += 1

    def dead_letter(self, headers: Mapping[str, bytes]) -> None:
        """Take a record of cxone.dead-letters that one of `DEAD_STAGES` wrote."""
        self.dead.append((headers[DEAD_STAGE].decode(), headers[DEAD_REASON].decode()))

    def percentile(self, share: float) -> float | None:
        """Return in how many seconds `share` of the last `RECENT` accepted calls was answered; None without any."""
        ordered = sorted(self._seconds)
        return ordered[int(share * (len(ordered) - 1))] if ordered else None
