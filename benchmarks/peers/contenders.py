"""Other stream processors doing the same jobs, publishing hours as stock Faust does: see `docs/benchmarks.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders import PERCENTILES, Contender, stock_row
from benchmarks.peers import environments
from benchmarks.peers.environments import Told
from benchmarks.peers.hours import FRAMES, HOURLY
from benchmarks.topics import Leg
from benchmarks.traffic import frames
from schemas.envelope import Outgoing
from schemas.topics import TopicSpec

PLAIN, QUIX, BYTEWAX = "plain loop", "Quix Streams", "Bytewax"


def _topic(name: str, record: str) -> TopicSpec:
    """Let Kafka say when a record came: some peers write the time of its event, and Kafka would delete it as old."""
    return TopicSpec(name=name, key="", record=record, config={"message.timestamp.type": "LogAppendTime"})


PEERS_FRAMES, PEERS_HOURLY = _topic(FRAMES, "frames"), _topic(HOURLY, "JSON")


def once(events: int) -> Iterator[Outgoing]:
    """Yield what all peers read in one hop: each frame once, under its campaign."""
    for delivery in frames(events):
        if delivery.event is not None and not delivery.again:
            yield Outgoing(FRAMES, delivery.event.campaign_id.encode(), delivery.body)


def peers(told: Told) -> list[Contender]:
    """Return them, their environments made. Raises Missing."""
    quix, bytewax = environments.python("quix", told), environments.python("bytewax", told)
    return [
        _one_hop(PLAIN, (sys.executable, _program("plain_loop.py"))),
        _one_hop(QUIX, (quix, _program("quix.py")), "peer-quix", _QUIX_STATE),
        _one_hop(BYTEWAX, (bytewax, _program("bytewax_flow.py"))),
    ]


def _program(name: str) -> str:
    return str(Path(__file__).with_name(name))


# Quix names the changelog by the group, the topic that it reads and the kind of state.
_QUIX_STATE = _topic(f"changelog__peer-quix--{FRAMES}--default", "counts")


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
