"""Changes that CXone tells of -> those that we did not make. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

PATIENCE = 5.0  # seconds that a change is kept back: what we did may be heard of after CXone tells
REMEMBERED = 10_000  # ETags of ours


@dataclass(frozen=True, slots=True)
class Told:
    """A change that CXone told of; `at` in milliseconds since the epoch."""

    dashboard: str
    event: str
    actor: str | None
    etag: str | None
    at: int


class Watch:
    """Tells others' changes from ours by the ETag that they led to."""

    def __init__(self) -> None:
        self._ours: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._held: OrderedDict[Told, float] = OrderedDict()
        self._shown: OrderedDict[Told, None] = OrderedDict()  # or found to be ours

    def ours(self, dashboard: str, etag: str | None) -> None:
        """Note an ETag that our change led to."""
        if etag is not None:
            self._ours[dashboard, etag] = None
            while len(self._ours) > REMEMBERED:
                self._ours.popitem(last=False)

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
        due = [change for change, since in self._held.items() if now - since >= PATIENCE]
        for change in due:
            del self._held[change]
            self._shown[change] = None
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        return [change for change in due if (change.dashboard, change.etag) not in self._ours]


def line(change: Told) -> str:
    """Write a change for a person."""
    who = change.actor or "someone in CXone"
    text = f"{change.dashboard}: {change.event.removeprefix('dashboard.')} by {who}, now {change.etag or 'unknown'}"
    return "".join(letter if letter.isprintable() else " " for letter in text)
