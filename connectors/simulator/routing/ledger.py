"""Which calls the routing API got and which it took, for judges. No I/O."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 200_000  # keys, about 120 MB; older ones are forgotten, and a repeat of theirs is taken as new


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asks for."""

    conversation_id: str
    queue_id: str
    text: str


@dataclass(slots=True)
class Routed:
    """What one idempotency key stands for.

    Attributes:
        calls: how often it was called, whatever the answer.
        order: its place among all that were taken, from 1; None until it is taken.
        taken_at: seconds since the epoch.
        seconds: from the first writing of the guest's frame to a socket until the call that was taken; None if unknown.
    """

    key: str
    wanted: Wanted
    calls: int = 0
    order: int | None = None
    routing_id: str | None = None
    taken_at: float | None = None
    seconds: float | None = None


class CallLedger:
    """Counts calls and remembers the last `kept` idempotency keys."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._keys: OrderedDict[str, Routed] = OrderedDict()
        self._statuses: Counter[int] = Counter()
        self._seconds: deque[float] = deque(maxlen=kept)
        self._taken = 0
        self._under_way = 0
        self._most_under_way = 0
        self._closed_until = 0.0
        self.repeats = 0
        self.too_soon = 0
        self.unheard = 0

    def called(self, key: str, wanted: Wanted, now: float) -> Routed | None:
        """Note a call; return what the key stands for, or None when it stands for something else than `wanted`."""
        routed = self._keys.get(key)
        if routed is None:
            routed = self._keys[key] = Routed(key, wanted)
            if len(self._keys) > self._kept:
                self._keys.popitem(last=False)
        self.too_soon += now < self._closed_until
        routed.calls += 1
        return routed if routed.wanted == wanted else None

    def take(self, routed: Routed, now: float, seconds: float | None) -> str:
        """Return the id of the conversation's place in its queue: of a key that was taken before, the same as then."""
        if routed.routing_id is not None:
            self.repeats += 1
            return routed.routing_id
        self._taken += 1
        routed.order, routed.taken_at, routed.seconds = self._taken, now, seconds
        routed.routing_id = f"routed-{self._taken:08}"
        if seconds is not None:
            self._seconds.append(seconds)
        return routed.routing_id

    def closed(self, until: float) -> None:
        """Note that a client was told to call no more before `until`."""
        self._closed_until = max(self._closed_until, until)

    def begun(self) -> None:
        self._under_way += 1
        self._most_under_way = max(self._most_under_way, self._under_way)

    def ended(self, status: int) -> None:
        self._under_way -= 1
        self._statuses[status] += 1

    def counts(self) -> dict[str, Any]:
        """Return the counts so far.

        `taken`: different keys answered 201; `repeats`: calls of a key that was taken before; `unheard`: calls taken
        whose client was gone when the answer was due, so that it has to call again; `too_soon`: calls while a
        Retry-After was running; `seconds`: of `Routed.seconds`.
        """
        return {
            "calls": self._statuses.total(),
            "taken": self._taken,
            "repeats": self.repeats,
            "unheard": self.unheard,
            "too_soon": self.too_soon,
            "under_way": self._under_way,
            "most_under_way": self._most_under_way,
            "statuses": {str(status): number for status, number in sorted(self._statuses.items())},
            "seconds": _summary(sorted(self._seconds)),
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what is kept of every key, in the order of their first calls."""
        for routed in list(self._keys.values()):
            row = asdict(routed)
            yield row | row.pop("wanted")


def _summary(ordered: list[float]) -> dict[str, float] | None:
    if not ordered:
        return None
    return {
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[len(ordered) * 95 // 100],
        "p99": ordered[len(ordered) * 99 // 100],
        "max": ordered[-1],
    }
