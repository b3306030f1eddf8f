"""Seeded frames -> the raw topics of both programs, and what must come out of them.

The simulator's frames: about 670 bytes of JSON, 200 campaigns with Zipf skew, six hours of event time, out of order by
up to 5 minutes, every tenth delivered again. The same number of events gives the same frames, byte for byte.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.results import Truth
from connectors.simulator.clock import HOUR
from connectors.simulator.traffic import Delivery, Plan, deliveries
from schemas.records import Outgoing

STARTED_AT = datetime(2026, 1, 15, 18, tzinfo=UTC).timestamp()
SPAN = 6 * HOUR  # seconds of event time
RATE = 500.0  # frames per second, were it live: decides how soon redeliveries come


def frames(events: int) -> Iterator[Delivery]:
    """Yield `events` different good frames and their redeliveries."""
    speedup = max(SPAN * RATE / events, 1.0)
    plan = Plan(rate=RATE, speedup=speedup, history=SPAN, campaigns=200, redelivered=0.10, malformed=0, number=events)
    return deliveries(plan, STARTED_AT)


class Traffic:
    """`records` are all frames for `ours`, and the frames of the first `stock_events` events for `stock` too."""

    def __init__(self, events: int, stock_events: int) -> None:
        self.truth, self.stock_truth = Truth(), Truth()
        self._events, self._stock_events = events, stock_events

    def records(self, ours: str, stock: str) -> Iterator[Outgoing]:
        compared: set[str] = set()
        for delivery in frames(self._events):
            event = delivery.event
            if event is None:
                continue
            key = event.event_id.encode()
            yield Outgoing(ours, key, delivery.body)
            if not delivery.again:
                self.truth.add(event)
                if len(compared) < self._stock_events:
                    compared.add(event.event_id)
                    self.stock_truth.add(event)
            if event.event_id in compared:
                yield Outgoing(stock, key, delivery.body)
