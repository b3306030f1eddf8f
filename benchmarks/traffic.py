"""Seeded frames -> the raw topics of both programs, and what must come out of them.

The simulator's frames: about 670 bytes of JSON, 200 campaigns with Zipf skew, out of order by up to 5 minutes, every
tenth delivered again. The pace is that of four million interactions a day, however few are asked for, from noon on:
the fuller an hour is, the more there is to write of it. The same number of events gives the same frames.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks.results import Truth
from connectors.cxone import dialect
from connectors.cxone.connection import Frame
from connectors.ingress import interactions
from connectors.ingress.raw_record import outgoing
from connectors.settings import DialectSettings, load
from connectors.simulator.clock import DAY
from connectors.simulator.interactions.traffic import Delivery, Plan, deliveries
from schemas.envelope import Outgoing

STARTED_AT = datetime(2026, 1, 16, 12, tzinfo=UTC).timestamp()  # event time begins a day before
EVENTS_PER_DAY = 4_000_000
RATE = 500.0  # frames per second, were it live: decides how soon redeliveries come
CONNECTION = "5f0c7a3e91d24b6c8a47"  # its id, which is in a header of each frame
PLAN = Plan(rate=RATE, speedup=RATE * DAY / EVENTS_PER_DAY, history=DAY, campaigns=200, redelivered=0.1, malformed=0)


def frames(events: int) -> Iterator[Delivery]:
    """Yield `events` different good frames and their redeliveries."""
    return deliveries(replace(PLAN, number=events), STARTED_AT)


class Traffic:
    """What `events` different events make of the topics and of the results; stock Faust gets `stock_events` of them."""

    def __init__(self, events: int, stock_events: int) -> None:
        self.truth, self.stock_truth = Truth(), Truth()
        self.events, self._stock_events = events, stock_events

    def records(self, ours: str, stock: str) -> Iterator[Outgoing]:
        """Yield all frames for the topic `ours`, and those of the first `stock_events` events for `stock` too.

        Those for `ours` have the key and the headers that `connect interactions` gives them.
        """
        compared: set[str] = set()
        feed = interactions.feed(dialect.load(load(DialectSettings).dialect).interactions.fields.interaction())
        for number, delivery in enumerate(frames(self.events)):
            event = delivery.event
            if event is None:
                continue
            key = event.event_id.encode()
            received = outgoing(Frame(delivery.body, CONNECTION, number, int(1000 * STARTED_AT) + number), feed)
            yield Outgoing(ours, received.key, received.value, received.headers)
            if not delivery.again:
                self.truth.add(event)
                if len(compared) < self._stock_events:
                    compared.add(event.event_id)
                    self.stock_truth.add(event)
            if event.event_id in compared:
                yield Outgoing(stock, key, delivery.body)
