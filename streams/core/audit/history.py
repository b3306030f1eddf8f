"""Audit entries -> the history of a dashboard that a person reads. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.records.audit import AuditEntry, AuditRecord


@dataclass(slots=True)
class Attempt:
    """One attempt to write a dashboard: its records, by kind."""

    intent: AuditRecord | None = None
    outcome: AuditRecord | None = None
    settled: AuditRecord | None = None

    @property
    def first(self) -> AuditRecord:
        """The earliest record."""
        return next(each for each in (self.intent, self.outcome, self.settled) if each is not None)

    @property
    def last(self) -> AuditRecord:
        """The latest record: what is known of the attempt."""
        return next(each for each in (self.settled, self.outcome, self.intent) if each is not None)

    @property
    def status(self) -> str:
        """What became of it."""
        return self.last.status or "under way, or its worker was killed"


def history(entries: Iterable[AuditEntry], dashboard: str) -> list[Attempt]:
    """Return the attempts to write `dashboard`, in the order in which they began. Entries may come twice."""
    attempts: dict[str, Attempt] = {}
    for entry in entries:
        record = entry.record
        if record.dashboard_id != dashboard:
            continue
        attempt = attempts.setdefault(record.attempt, Attempt())
        match record.kind:
            case "intent":
                attempt.intent = attempt.intent or record
            case "outcome":
                attempt.outcome = attempt.outcome or record
            case _:
                attempt.settled = attempt.settled or record
    return sorted(attempts.values(), key=lambda attempt: attempt.first.timestamp)
