"""How long messages take from the socket to CXone's answer, and where on the way, read off what is on the topics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from confluent_kafka import Message

from benchmarks.results import WrongResults
from schemas.envelope import EVENT_ID
from schemas.records import RoutingResult

HOPS = ("socket to cxone.raw.messages", "messages", "rate limit", "routing, with the call")


class Spread(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float
    worst: float


class Journey(NamedTuple):
    """When one message passed, in milliseconds since the epoch; `routed` is CXone's answer."""

    received: int
    raw: int
    typed: int
    admitted: int
    routed: int


def times(messages: Iterable[Message]) -> dict[str, int]:
    """Return when each record was written, by event id: the first time, if it was written again."""
    found: dict[str, int] = {}
    for message in messages:
        event_id = _event_id(message)
        if event_id is not None:
            found.setdefault(event_id, message.timestamp()[1])
    return found


def _event_id(message: Message) -> str | None:
    """Return what the header says, or else the frame itself: raw records have no such header."""
    header = dict(message.headers() or []).get(EVENT_ID)
    if header is not None:
        return str(header, "utf-8")
    try:
        event_id: str | None = orjson.loads(message.value() or b"").get("eventId")
    except orjson.JSONDecodeError:  # Avro
        return None
    return event_id


def journeys(results: Iterable[RoutingResult], *topics: Mapping[str, int]) -> list[Journey]:
    """Put them together, in the order of arrival. `topics` are the `times` on the raw, typed and admitted ones.

    Raises WrongResults when a message was routed twice.
    """
    found: dict[str, Journey] = {}
    for result in results:
        event_id = result.event_id or ""
        if event_id in found:
            raise WrongResults(f"the message {event_id} was routed twice, so there is no figure.")
        written = (topic[event_id] for topic in topics)
        found[event_id] = Journey._make((result.received_at, *written, result.routed_at))
    return sorted(found.values())


def warm(journeys: Sequence[Journey], *, after: float, seconds: float, rate: float) -> list[Journey]:
    """Return those that began within `seconds` from `after` seconds on. Raises WrongResults unless it was the load."""
    start = journeys[0].received + 1000 * after if journeys else 0
    found = [each for each in journeys if start <= each.received < start + 1000 * seconds]
    if len(found) < 0.9 * rate * seconds:
        raise WrongResults(f"{len(found)} messages in {seconds:g} s are not {rate:g} a second: there is no figure.")
    return found


def total(journeys: Sequence[Journey]) -> Spread:
    """Return how long they took from the socket to the answer."""
    return spread([each.routed - each.received for each in journeys])


def hops(journeys: Sequence[Journey]) -> dict[str, Spread]:
    """Return how long they took on each hop: until the next one's record was given to Kafka, or the answer came."""
    return dict(zip(HOPS, map(spread, np.diff(np.array(journeys)).T), strict=True))


def spread(milliseconds: Sequence[float]) -> Spread:
    return Spread(*np.percentile(milliseconds, (50, 99, 100)).tolist())
