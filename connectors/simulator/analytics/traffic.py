"""Seeded analytics traffic: `(plan, started_at) -> deliveries`, each with the moment when it is due. No clock, no I/O.

The same plan and start give the same frames, byte for byte.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from math import pi, sin
from random import Random

import orjson

from connectors.simulator.analytics.frames import ACTIVE, AGENT, IDLE, INTERACTION, MALFORMED, QUEUE, Event, frame
from connectors.simulator.interactions.frames import event_id

DISORDER_SECONDS = 20.0  # within the lateness that minutes allow
LATE_SECONDS = (60.0, 600.0)  # behind it: a minute that was final is amended
SOON_SECONDS = 2.0
MOST_EVENTS = 4  # of one interaction

_DISORDERED, _IDLE, _WITHOUT_ID, _WITHOUT_QUEUE = 0.3, 0.2, 0.1, 0.15  # shares of the frames
_AGENTS_OWN, _QUEUES_OWN = 0.05, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send. `rate` counts new frames per real second, shares are of `rate`; redeliveries come on top.

    Event time begins `history` seconds before the start and runs at `speedup` until it reaches the present. Handle
    and wait times rise and fall in waves of `wave` seconds of event time, every queue at a time of its own; at its
    height a wave crosses both levels of the default alerts. `number` bounds the new frames; None is no bound.
    """

    seed: int = 1
    rate: float = 10.0
    speedup: float = 1.0
    history: float = 0.0
    agents: int = 8
    queues: tuple[str, ...] = ("sales", "support", "billing|EU")
    wave: float = 900.0
    redelivered: float = 0.05
    malformed: float = 0.01
    late: float = 0.01
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame due `due` real seconds after the start. Exactly one of `event` and `malformed` (its kind) is set."""

    due: float
    body: bytes
    event: Event | None
    malformed: str | None
    again: bool = False


def deliveries(plan: Plan, started_at: float) -> Iterator[Delivery]:
    """Yield in order of `due`. After the last new frame, the redeliveries still outstanding are due at once.

    Guarantees: no event time is ahead of `started_at + due`; a redelivery has the same bytes as its original; two
    different frames have different bytes, also those without an event id.
    """
    rng = Random(plan.seed)
    begin = started_at - plan.history
    again: list[tuple[float, int, Delivery]] = []
    talking: dict[str, tuple[str, int]] = {}  # agent -> the interaction, and how many events it has left
    due = 0.0
    for number in islice(count(), plan.number):
        due = number / plan.rate
        while again and again[0][0] <= due:
            yield heapq.heappop(again)[2]
        now = min(begin + due * plan.speedup, started_at + due)
        delivery = _new(number, due, now - _disorder(plan, rng), plan, talking, rng)
        yield delivery
        if delivery.event is not None and rng.random() < plan.redelivered:
            later = due + rng.expovariate(1 / SOON_SECONDS)
            heapq.heappush(again, (later, number, _repeated(delivery, later)))
    for _, _, delivery in sorted(again, key=lambda entry: entry[:2]):
        yield _repeated(delivery, due)


def level(plan: Plan, at: float, queue: int) -> float:
    """Return how high the wave of a queue (by its place in the plan) is at a time in seconds: 0 to 1."""
    return max(0.0, sin(2 * pi * (at / plan.wave + queue / len(plan.queues))))


def _new(  # noqa: PLR0913, PLR0917 - what a frame depends on
    number: int, due: float, at: float, plan: Plan, talking: dict[str, tuple[str, int]], rng: Random
) -> Delivery:
    draw = rng.random()
    agent = f"sim-agent-{rng.randrange(plan.agents):03}"
    queue = rng.randrange(len(plan.queues))
    name = None if rng.random() < _WITHOUT_ID else event_id(rng)
    milliseconds, named = int(at * 1000), plan.queues[queue]
    if draw < _AGENTS_OWN:
        state = rng.choice((ACTIVE, IDLE))
        event = Event(number, name, AGENT, milliseconds, None, agent, None, None, None, state)
    elif draw < _AGENTS_OWN + _QUEUES_OWN:
        waited = _seconds(0, 120, rng)
        event = Event(number, name, QUEUE, milliseconds, None, None, named, None, waited, ACTIVE)
    else:
        height = level(plan, at, queue)
        event = Event(
            number,
            name,
            INTERACTION,
            milliseconds,
            _interaction(agent, talking, rng),
            agent,
            None if rng.random() < _WITHOUT_QUEUE else named,
            _seconds(60, 360, rng, 1 + height),
            _seconds(0, 120, rng, 1 + 1.5 * height),
            IDLE if rng.random() < _IDLE else ACTIVE,
        )
        if rng.random() < plan.malformed:
            kind = rng.choice(tuple(MALFORMED))
            return Delivery(due, MALFORMED[kind](frame(event)), None, kind)
    return Delivery(due, orjson.dumps(frame(event)), event, None)


def _interaction(agent: str, talking: dict[str, tuple[str, int]], rng: Random) -> str:
    """Return the interaction that an agent has now; it has one to `MOST_EVENTS` events."""
    current, left = talking.get(agent, ("", 0))
    if not left:
        current, left = f"sim-{rng.getrandbits(64):016x}", rng.randint(1, MOST_EVENTS)
    talking[agent] = current, left - 1
    return current


def _seconds(least: float, most: float, rng: Random, factor: float = 1.0) -> float:
    """Return a duration in half seconds: sums of them are exact in whatever order they are added."""
    return round(rng.uniform(least, most) * factor * 2) / 2


def _disorder(plan: Plan, rng: Random) -> float:
    if rng.random() < plan.late:
        return rng.uniform(*LATE_SECONDS)
    return min(rng.expovariate(1 / 5), DISORDER_SECONDS) if rng.random() < _DISORDERED else 0.0


def _repeated(delivery: Delivery, due: float) -> Delivery:
    return Delivery(due, delivery.body, delivery.event, None, again=True)
