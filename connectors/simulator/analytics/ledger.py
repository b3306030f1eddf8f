"""What was really sent on the analytics socket, for a judge to compare with what arrived."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from connectors.simulator.analytics.frames import Event
from connectors.simulator.analytics.traffic import Delivery

KEPT = 1_000_000  # events, about 300 MB; those beyond are counted, not kept


class AnalyticsLedger:
    """Counts written frames. Feed it every write, in the order of the outbox's numbers on each socket."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._events: list[Event] = []
        self._sent = 0
        self._written = 0  # every delivery numbered below it has been written at least once
        self._redelivered = 0
        self._malformed: Counter[str] = Counter()
        self._malformed_again = 0

    def wrote(self, number: int, delivery: Delivery) -> None:
        repeated = number < self._written
        self._written = max(self._written, number + 1)
        if delivery.malformed is not None:
            self._malformed_again += repeated
            self._malformed[delivery.malformed] += not repeated
        elif repeated or delivery.again:
            self._redelivered += 1
        elif delivery.event is not None:
            self._sent += 1
            if len(self._events) < self._kept:
                self._events.append(delivery.event)

    def counts(self) -> dict[str, Any]:
        """Return the counts so far.

        `events_sent`: different valid events. `events_redelivered`: frames beyond the first of an event.
        `events_malformed`: by kind, each once; `malformed_redelivered`: the frames beyond.
        """
        return {
            "events_sent": self._sent,
            "events_redelivered": self._redelivered,
            "events_malformed": dict(self._malformed),
            "malformed_redelivered": self._malformed_again,
        }

    def events(self) -> Iterator[Event]:
        """Yield the different valid events that are kept, in the order of first sending."""
        return iter(self._events)
