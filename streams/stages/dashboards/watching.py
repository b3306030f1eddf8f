"""Changes that CXone tells of -> those that we did not make. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from schemas.records.audit import AuditRecord
from streams.core.audit.ours import Ours

PATIENCE = 30.0  # seconds that a change waits for what becomes of an attempt of ours
REMEMBERED = 10_000  # changes that were shown


@dataclass(frozen=True, slots=True)
class Told:
    """A change that CXone told of; `at` in milliseconds since the epoch."""

    dashboard: str
    event: str
    actor: str | None
    etag: str | None
    at: int


class Watch:
    """Tells others' changes from ours. The audit trail has to be read to its end after a change was told of."""

    def __init__(self) -> None:
        self._ours = Ours()
        self._held: OrderedDict[Told, float] = OrderedDict()
        self._shown: OrderedDict[Told, None] = OrderedDict()  # or found to be ours

    def audited(self, record: AuditRecord) -> None:
        """Take a record of the audit trail; twice is once."""
        self._ours.take(record)

    def told(self, change: Told, now: float) -> None:
        """Take a change that CXone told of; twice is once. `now` in seconds."""
        if change not in self._shown:
            self._held.setdefault(change, now)

    @property
    def waiting(self) -> bool:
        """Whether changes are kept back."""
        return bool(self._held)

    def foreign(self, now: float) -> list[Told]:
        """Return the changes that are others', each once."""
        due = [change for change, since in self._held.items() if self._decided(change) or now - since >= PATIENCE]
        for change in due:
            del self._held[change]
            self._shown[change] = None
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        return [change for change in due if not self._ours.made(change.dashboard, change.etag)]

    def _decided(self, change: Told) -> bool:
        return self._ours.made(change.dashboard, change.etag) or self._ours.open(change.dashboard) is None


def line(change: Told) -> str:
    """Write a change for a person."""
    who = change.actor or "someone in CXone"
    text = f"{change.dashboard}: {change.event.removeprefix('dashboard.')} by {who}, now {change.etag or 'unknown'}"
    return "".join(letter if letter.isprintable() else " " for letter in text)
