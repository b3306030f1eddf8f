"""What the stage remembers of a dashboard: what was applied last, how far the command under way has come. Pure."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from schemas.records.audit import AuditRecord
from streams.stages.dashboards.json_text import dumps, loads
from streams.stages.dashboards.merge import Path
from streams.stages.dashboards.plan import History


@dataclass(frozen=True, slots=True)
class Attempt:
    """A PUT or POST whose outcome is not known.

    `changed` are paths to what it changes, by which it is recognised. `says` is the hash of what a file can say of what
    was sent: a document with another was changed since. `told` says that its outcome `unknown` is in the audit trail.
    """

    id: str
    action: str
    payload_hash: str
    actor: str
    etag_before: str | None
    changed: tuple[Path, ...] = ()
    says: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one dashboard.

    Attributes:
        history: what was applied last; None where nothing was. `applied_at` is when, in milliseconds.
        command: id of the command under way, or of the last one.
        number: of the last attempt, of whichever command: no two attempts have one id.
        attempts: of that command, so far.
        answered: of them, those that CXone answered with 2xx or 412.
        open: the attempt whose outcome is not known.
    """

    history: History | None = None
    applied_at: int | None = None
    command: str = ""
    number: int = 0
    attempts: int = 0
    answered: int = 0
    open: Attempt | None = None

    def begun(self, command: str) -> "Memory":
        """Return the memory with `command` under way."""
        return self if command == self.command else replace(self, command=command, attempts=0, answered=0)

    def after(self, record: AuditRecord) -> "Memory":
        """Return the memory with what a record says of an attempt that was stored, and perhaps not remembered."""
        command, _, number = record.attempt.rpartition(".")
        if record.kind == "intent":
            if self.number >= int(number):
                return self
            attempt = Attempt(record.attempt, record.action, record.payload_hash, record.actor, record.etag_before)
            begun = self.begun(command)
            return replace(begun, number=int(number), attempts=begun.attempts + 1, open=attempt)
        if self.open is None or self.open.id != record.attempt:
            return self
        if record.status == "unknown" and record.kind == "outcome":
            return replace(self, open=replace(self.open, told=True))
        return replace(self, open=None, answered=self.answered + (record.status in {"applied", "contended"}))

    def encode(self) -> bytes:
        """Return what is stored of it."""
        history = self.history
        return dumps(
            {
                "document": history.document if history else None,
                "payload": history.payload if history else None,
                "applied_at": self.applied_at,
                "command": self.command,
                "number": self.number,
                "attempts": self.attempts,
                "answered": self.answered,
                "open": asdict(self.open) if self.open else None,
            }
        )


def decode(data: bytes) -> Memory:
    """Return what `encode` stored."""
    stored: Any = loads(data)
    payload = stored["payload"]
    return Memory(
        None if payload is None else History(stored["document"], payload),
        stored["applied_at"],
        stored["command"],
        stored["number"],
        stored["attempts"],
        stored["answered"],
        _attempt(stored["open"]) if stored["open"] else None,
    )


def _attempt(stored: dict[str, Any]) -> Attempt:
    return Attempt(**{**stored, "changed": tuple(map(tuple, stored["changed"]))})
