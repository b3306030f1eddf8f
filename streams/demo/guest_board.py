"""What the topics, ledgers and metrics say about guests, folded into what a screen or a judge looks at. No I/O."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from schemas.records import RoutingResult

STAGES = ("messages", "rate-limit", "routing", "crm")
DEAD_STAGES = {"connect messaging", *STAGES}
KEPT = 200_000  # messages with one fate, as many as the simulator's ledgers keep; counts go on
RECENT = 1000  # results that percentiles are of


@dataclass(slots=True)
class Fate:
    """Messages with one fate: event ids by source position. A record that comes again counts once."""

    count: int = 0
    events: dict[str, str] = field(default_factory=dict)

    def add(self, headers: Mapping[str, bytes]) -> bool:
        """Take a record's headers. Returns whether its message is new."""
        position = headers[SOURCE_POSITION].decode()
        if position in self.events:
            return False
        self.events[position] = headers[EVENT_ID].decode()
        self.count += 1
        if len(self.events) > KEPT:
            del self.events[next(iter(self.events))]
        return True


@dataclass(slots=True)
class Guests:
    """`said` and `contacts` are the counts of the simulator's ledgers, `waiting` those that wait for another attempt.

    `dead` are dead letters by stage and source: (reason, event id if the frame could be read).
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    contacts: Mapping[str, Any] = field(default_factory=dict)
    waiting: int = 0
    admitted: Fate = field(default_factory=Fate)
    throttled: Fate = field(default_factory=Fate)
    routed: Fate = field(default_factory=Fate)
    on_time: int = 0
    dead: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def sent(self) -> int:
        """Return how many different messages were written to the connector's socket."""
        return int(self.said.get("inbound", 0))

    @property
    def dead_letters(self) -> Counter[str]:
        """Return how many records were refused by reason."""
        return Counter(reason for reason, _ in self.dead.values())

    @property
    def within_target(self) -> float | None:
        """Return the share of the routed messages that were routed in time; None without any."""
        return self.on_time / self.routed.count if self.routed.count else None

    def result(self, headers: Mapping[str, bytes], result: RoutingResult) -> None:
        """Take a record of cxone.routing.results."""
        if self.routed.add(headers):
            self.on_time += result.within_target
            self._seconds.append(result.seconds)

    def dead_letter(self, headers: Mapping[str, bytes]) -> None:
        """Take a record of cxone.dead-letters that one of our stages or the connector wrote."""
        event_id = headers.get(EVENT_ID)
        self.dead[headers[DEAD_STAGE].decode(), headers[DEAD_SOURCE].decode()] = (
            headers[DEAD_REASON].decode(),
            None if event_id is None else event_id.decode(),
        )

    def percentile(self, share: float) -> float | None:
        """Return in how many seconds `share` of the last `RECENT` results were routed; None without any."""
        ordered = sorted(self._seconds)
        return ordered[int(share * (len(ordered) - 1))] if ordered else None
