"""What the author of a keyed-rows stage says, and all that it says: a value per key, a row per value.

    rule = Longest(decode, encode)                 # a Rule
    core = KeyedRows(partition, stored, rule=rule, time=Watermark(partition, RawProgress()), life=7)

`KeyedRows` adds positions, replays, the order of writes, restoring, publishing again and forgetting.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from schemas.compiled import HourRun
from schemas.envelope import Outgoing
from streams.core.contract import Refused
from streams.core.declaration import Declaration

E = TypeVar("E")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Rule(ABC, Generic[E, K, V]):
    """How a record changes a value, how a value becomes a row, when a value is forgotten.

    E is what a record holds. K is a key: text, a number, or a tuple of them. V is a value, which `add` changes in
    place. All is pure: what comes out depends on the arguments alone. Times are event time, in ms since the epoch.

    Attributes:
        declaration: of the stage: what it reads, and the one table that its values are kept in.
        read: returns what the bytes of a record hold. Raises ValueError: the record becomes a dead letter.
        usual_run: adds the usual records from a place on to their values, faster than one by one, up to the first that
            needs a closer look. Most rules have none.
        kind: the type of V, a `msgspec.Struct` or a dataclass, unless `store` and `restore` are written by hand.
        keep: milliseconds. An event is too late when its log time (what its raw partition had come to) is so much later
            than what the event `needs`. A value is forgotten when every event that could change it would be too late.
            It needs `behind` in the declaration: without event time nothing is too late or forgotten. None keeps all.
    """

    declaration: Declaration
    read: Callable[[bytes], E]
    usual_run: HourRun | None = None
    kind: type[V]
    keep: int | None = None

    @abstractmethod
    def place(self, event: E) -> tuple[K, int] | Refused:
        """Return (key of the value that an event changes, event time in ms), or why it can change none."""

    @abstractmethod
    def begin(self, key: K) -> V:
        """Return the value of a key before its first event."""

    @abstractmethod
    def add(self, value: V, event: E) -> None:
        """Change a value by an event.

        The order of events of one raw partition is kept, no other: a value must not depend on the order between them.
        """

    @abstractmethod
    def row(self, key: K, value: V) -> Outgoing:
        """Return the record that says what the value is: an upsert by its key. The same value makes the same bytes."""

    def settle(self, value: V) -> None:
        """Change a value once for all that `add` and `end` did since the last flush, before it is stored."""

    def ends(self, key: K, value: V) -> int | None:  # noqa: ARG002 - most values do not end
        """Return the event time at which a value ends, for good; None when it has ended, or never does.

        It may move to later by `add`, not to earlier.
        """
        return None

    def end(self, value: V) -> None:
        """Change a value because event time has passed its end. `ends` returns None, or another time, from then on."""

    def latest(self, key: K, value: V) -> int:
        """Return the event time from which a value's keeping counts. It may move to later by `add`. Needs `keep`."""
        raise NotImplementedError

    def needs(self, key: K, at: int) -> int:  # noqa: ARG002 - most values begin at their first event
        """Return the earliest event time of what a value has to know that begins with an event at `at`.

        When a value that old may be forgotten already, the event is too late.
        """
        return at

    def store(self, value: V) -> bytes:
        """Return a value as JSON."""
        return msgspec.json.encode(value)

    def restore(self, key: K, stored: bytes) -> V:  # noqa: ARG002 - a value may hold its key
        """Return the value that was stored."""
        return msgspec.json.decode(stored, type=self.kind)
