"""Seeded traffic: `(plan, started_at) -> deliveries`, each with the moment when it is due. No clock, no sockets.

The same plan and start give the same frames, byte for byte.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random

import orjson

from connectors.simulator.clock import HOUR, EventClock
from connectors.simulator.interactions.campaigns import Campaign, Campaigns
from connectors.simulator.interactions.frames import MALFORMED, Event, event_id, frame

OUT_OF_ORDER_SECONDS = 300.0
SOON_SECONDS = 2.0
# A redelivery this late is still inside the 15 minutes for which normalise remembers ids, with time to wait on its way.
LATEST_REDELIVERY_SECONDS = 600.0
LONGEST_SECONDS = 1800  # so that no hour has more different durations than are counted exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send. `rate` counts new frames per real second (redeliveries come on top), shares are of `rate`.

    `history` is how many seconds before the start event time begins. `number` bounds the new frames; None is no bound.
    """

    seed: int = 1
    rate: float = 500.0
    speedup: float = 360.0
    history: float = 24 * HOUR
    campaigns: int = 40
    redelivered: float = 0.10
    malformed: float = 0.01
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame due `due` real seconds after the start. Exactly one of `event` and `malformed` (its kind) is set."""

    due: float
    body: bytes
    event: Event | None
    malformed: str | None
    again: bool


def deliveries(plan: Plan, started_at: float) -> Iterator[Delivery]:
    """Yield in order of `due`. After the last new frame, the redeliveries still outstanding are due at once.

    Guarantees: no event time is ahead of `started_at + due`; a redelivery has the same bytes as its original and comes
    within `LATEST_REDELIVERY_SECONDS` of it.
    """
    rng = Random(plan.seed)
    campaigns = Campaigns(plan.campaigns, rng)
    clock = EventClock(started_at, plan.history, plan.speedup)
    again: list[tuple[float, int, Delivery]] = []
    due = 0.0
    for number in islice(count(), plan.number):
        due = number / plan.rate
        while again and again[0][0] <= due:
            yield heapq.heappop(again)[2]
        delivery = _new(due, clock.at(due), campaigns.draw(rng), plan, rng)
        yield delivery
        if delivery.event is not None and rng.random() < plan.redelivered / (1 - plan.malformed):
            later = due + _delay(rng)
            heapq.heappush(again, (later, number, Delivery(later, delivery.body, delivery.event, None, again=True)))
    for _, _, delivery in sorted(again, key=lambda entry: entry[:2]):
        yield Delivery(due, delivery.body, delivery.event, None, again=True)


def _new(due: float, time: float, campaign: Campaign, plan: Plan, rng: Random) -> Delivery:
    disorder = min(rng.expovariate(1 / 40), OUT_OF_ORDER_SECONDS) if rng.random() < 0.3 else 0.0  # noqa: PLR2004
    event = Event(
        event_id=event_id(rng),
        campaign_id=campaign.id,
        completed_at=int((time - disorder) * 1000),
        handle_time=_seconds(campaign.handle, 0.6, rng),
        wait_time=_seconds(campaign.wait, 0.9, rng),
    )
    good = frame(event, campaign, rng)
    if rng.random() < plan.malformed:
        kind = rng.choice(tuple(MALFORMED))
        return Delivery(due, MALFORMED[kind](good), None, kind, again=False)
    return Delivery(due, orjson.dumps(good), event, None, again=False)


def _seconds(median: float, spread: float, rng: Random) -> int:
    return min(int(median * rng.lognormvariate(0, spread)), LONGEST_SECONDS)


def _delay(rng: Random) -> float:
    """Most redeliveries follow at once; every tenth comes minutes later."""
    if rng.random() < 0.1:  # noqa: PLR2004
        return rng.uniform(0, LATEST_REDELIVERY_SECONDS)
    return rng.expovariate(1 / SOON_SECONDS)
