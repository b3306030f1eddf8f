"""What a person has decided of dead letters: replayed, discarded, or parked because they come back too often."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import orjson

from schemas.envelope import Found, Outgoing
from schemas.topics import DEAD_LETTERS_SETTLED, ONLY_PARTITION
from streams.core.dead_letters.letter import MOST_REPLAYS, Letter


class Decision(StrEnum):
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    PARKED = "parked"


class Ledger:
    """The decisions, from the topic that keeps them. What is no decision on it is passed over."""

    def __init__(self) -> None:
        self._decided: dict[str, Decision] = {}
        self._replayed: set[tuple[str, str]] = set()  # stage, frame

    def take(self, found: Found) -> None:
        """Take in a record of the topic."""
        if found.key is None:
            return
        name = found.key.decode("utf-8", "replace")
        if found.value is None:
            self._decided.pop(name, None)
            return
        try:
            said = orjson.loads(found.value)
            decision, frame = Decision(said["decision"]), said["frame"]
        except (ValueError, KeyError, TypeError):
            return
        self._note(name, decision, frame)

    def decide(self, letter: Letter, decision: Decision, now: int, frame: str | None = None) -> Outgoing:
        """Decide about a letter at a time (ms); return the record that remembers it."""
        self._note(letter.id, decision, frame)
        value = {"decision": decision, "frame": frame, "reason": letter.reason, "at": now}
        return Outgoing(DEAD_LETTERS_SETTLED.name, letter.id.encode(), orjson.dumps(value), partition=ONLY_PARTITION)

    def was_replayed(self, stage: str, frame: str) -> bool:
        """Whether a frame went out for a stage: a record that was published twice may be refused twice."""
        return (stage, frame) in self._replayed

    def is_open(self, letter: Letter) -> bool:
        """Whether a letter is neither replayed nor discarded."""
        return self._decided.get(letter.id) in {None, Decision.PARKED}

    def is_parked(self, letter: Letter) -> bool:
        return letter.replays >= MOST_REPLAYS or self._decided.get(letter.id) is Decision.PARKED

    def _note(self, name: str, decision: Decision, frame: str | None) -> None:
        self._decided[name] = decision
        if decision is Decision.REPLAYED and isinstance(frame, str):
            self._replayed.add((name.partition("|")[0], frame))


def open_letters(letters: Iterable[Letter], ledger: Ledger) -> Iterator[Letter]:
    """Yield letters that are neither replayed nor discarded, each once."""
    seen = set()
    for letter in letters:
        if letter.id not in seen and ledger.is_open(letter):
            seen.add(letter.id)
            yield letter
