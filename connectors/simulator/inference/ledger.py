"""What the stand-in model was asked, and what it scored."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Asking:
    """One idempotency key: what it came with, how often, and how often it was given a score."""

    interaction_id: str
    times: int = 0
    scored: int = 0


class ScoreLedger:
    """All keys, in the order in which they came first."""

    def __init__(self) -> None:
        self.keys: dict[str, Asking] = {}
        self.conflicts = 0  # a key that came with another interaction
        self._answers: Counter[int] = Counter()

    def asked(self, key: str, interaction_id: str) -> None:
        """Note a request."""
        asking = self.keys.setdefault(key, Asking(interaction_id))
        asking.times += 1
        self.conflicts += asking.interaction_id != interaction_id

    def scored(self, key: str) -> None:
        """Note that a request is given a score."""
        self.keys[key].scored += 1

    def answered(self, status: int) -> None:
        """Note an answer."""
        self._answers[status] += 1

    def counts(self) -> dict[str, object]:
        """Return totals; `repeats` are scores beyond the first of a key."""
        return {
            "keys": len(self.keys),
            "scored": sum(asking.scored > 0 for asking in self.keys.values()),
            "repeats": sum(max(asking.scored - 1, 0) for asking in self.keys.values()),
            "conflicts": self.conflicts,
            "answers": {str(status): number for status, number in sorted(self._answers.items())},
        }

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield each key."""
        for key, asking in self.keys.items():
            yield {
                "key": key,
                "interaction_id": asking.interaction_id,
                "times": asking.times,
                "scored": asking.scored,
            }
