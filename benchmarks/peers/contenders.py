"""Other stream processors doing the same jobs, publishing hours as stock Faust does: see `docs/benchmarks.md`."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
from confluent_kafka import Message

from benchmarks.contenders import PERCENTILES, RAW_SAMPLE, SLICE, Contender, stock_row
from benchmarks.peers import environments
from benchmarks.peers.environments import Told
from benchmarks.peers.hours import FRAMES, HOURLY
from benchmarks.results import Row, Window
from benchmarks.topics import Leg
from benchmarks.traffic import frames
from schemas.envelope import Outgoing
from schemas.topics import RAW_INTERACTIONS, TopicSpec

PLAIN, QUIX, BYTEWAX, STREAMS, FLINK = "plain loop", "Quix Streams", "Bytewax", "Kafka Streams", "Flink SQL"


def _topic(name: str, record: str) -> TopicSpec:
    """Let Kafka say when a record came: some peers write the time of its event, and Kafka would delete it as old."""
    return TopicSpec(name=name, key="", record=record, config={"message.timestamp.type": "LogAppendTime"})


PEERS_FRAMES, PEERS_HOURLY = _topic(FRAMES, "frames"), _topic(HOURLY, "JSON")


def once(events: int) -> Iterator[Outgoing]:
    """Yield what all peers read in one hop: each frame once, under its campaign."""
    for delivery in frames(events):
        if delivery.event is not None and not delivery.again:
            yield Outgoing(FRAMES, delivery.event.campaign_id.encode(), delivery.body)


def peers(events: int, told: Told) -> list[Contender]:
    """Return them, their environments made. Raises Missing."""
    quix, bytewax = environments.python("quix", told), environments.python("bytewax", told)
    streams, flink = environments.java("kafka-streams", told), environments.java("flink-sql", told)
    return [
        _one_hop(PLAIN, (sys.executable, _program("plain_loop.py"))),
        _one_hop(QUIX, (quix, _program("quix.py")), "peer-quix", _QUIX_STATE),
        _one_hop(BYTEWAX, (bytewax, _program("bytewax_flow.py"))),
        _one_hop(STREAMS, (*streams, PERCENTILES), "peer-streams-percentiles", _hours_of("peer-streams-percentiles")),
        replace(_one_hop(FLINK, (*flink, PERCENTILES)), row=_flink_row),
        _streams_slice(streams, events),
        replace(_slice(FLINK, (*flink, SLICE), (), _FLINK_COMPLETED), row=_flink_row),
    ]


def _program(name: str) -> str:
    return str(Path(__file__).with_name(name))


# Quix names the changelog by the group, the topic that it reads and the kind of state.
_QUIX_STATE = _topic(f"changelog__peer-quix--{FRAMES}--default", "counts")
_STREAMS_COMPLETED = _topic("peers.streams.completed", "events")
_FLINK_COMPLETED = _topic("peers.flink.completed", "Avro")


def _hours_of(application: str) -> TopicSpec:
    return _topic(f"{application}-hours-changelog", "windows")


def _one_hop(name: str, command: tuple[str, ...], group: str | None = None, *states: TopicSpec) -> Contender:
    """`group` commits as it goes; a peer without one keeps its positions elsewhere, or nowhere."""
    return Contender(
        name=name,
        job=PERCENTILES,
        command=command,
        input=PEERS_FRAMES,
        legs=(Leg(group, FRAMES),) if group is not None else (),
        writes=(*states, PEERS_HOURLY),
        results=PEERS_HOURLY,
        row=stock_row,
        sample=next(once(1)),
    )


def _slice(name: str, command: tuple[str, ...], legs: tuple[Leg, ...], *writes: TopicSpec) -> Contender:
    return Contender(
        name=name,
        job=SLICE,
        command=command,
        input=RAW_INTERACTIONS,
        legs=legs,
        writes=(*writes, PEERS_HOURLY),
        results=PEERS_HOURLY,
        row=stock_row,
        sample=RAW_SAMPLE,
    )


def _streams_slice(streams: tuple[str, ...], events: int) -> Contender:
    group = "peer-streams-slice"
    seen = _topic(f"{group}-seen-changelog", "event ids")
    legs = Leg(group, RAW_INTERACTIONS.name), Leg(group, _STREAMS_COMPLETED.name, events)
    return _slice(STREAMS, (*streams, SLICE), legs, seen, _hours_of(group), _STREAMS_COMPLETED)


def _flink_row(message: Message) -> tuple[Window, Row]:
    """Read its key, which is what it groups by: a campaign, and the beginning of the text of a time."""
    key = orjson.loads(message.key() or b"")
    hour = datetime.fromisoformat(f"{key['hour']}:00:00+00:00")
    return (key["campaign"], round(hour.timestamp() * 1000)), tuple(orjson.loads(message.value() or b""))
