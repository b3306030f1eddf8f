"""Frames of the analytics socket, and frames as nobody should send them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.simulator.interactions.frames import iso

INTERACTION, AGENT, QUEUE = "interaction", "agent", "queue"  # types of events
ACTIVE, IDLE = "active", "idle"  # states


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the truth knows it. Durations in seconds, `at` in milliseconds since the epoch.

    `event_id` is None where the frame names none; `number` is another one in every frame.
    """

    number: int
    event_id: str | None
    event_type: str
    at: int
    interaction_id: str | None
    agent_id: str | None
    queue_id: str | None
    handle_time: float | None
    wait_time: float | None
    state: str


def frame(event: Event) -> dict[str, Any]:
    """Return the frame of `event` before it is written as JSON. What is None is left out."""
    wait = event.wait_time
    metrics = _present(handleTime=event.handle_time, waitTime=wait, queueTime=wait, state=event.state)
    return {
        **_present(eventId=event.event_id),
        "eventType": event.event_type,
        "timestamp": iso(event.at),
        **_present(interactionId=event.interaction_id, agentId=event.agent_id, queueId=event.queue_id),
        "metrics": metrics,
        "metadata": {"source": "simulator", "sequence": event.number},
    }


def _present(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _with(**fields: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: orjson.dumps(good | fields)


def _metrics(**fields: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: orjson.dumps(good | {"metrics": good["metrics"] | fields})


# kind -> how a good frame of an interaction becomes a bad one. Each of them has to end in the dead letters.
MALFORMED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "not json": lambda good: orjson.dumps(good)[:-20],
    "no interaction": _with(interactionId=None),
    "interaction is too long": _with(interactionId="x" * 257),
    "no time": _with(timestamp=None),
    "time cannot be read": _with(timestamp="yesterday at noon"),
    "time before telephones": _with(timestamp="1815-06-18T11:30:00.000Z"),
    "time in the far future": _with(timestamp="2999-12-31T23:59:59.999Z"),
    "negative handle time": _metrics(handleTime=-1),
    "handle time is text": _metrics(handleTime="90"),
    "boolean as wait time": _metrics(waitTime=True),
    "state is a list": _metrics(state=["active"]),
    "metadata is text": _with(metadata="simulator"),
}
