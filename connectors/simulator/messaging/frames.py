"""What guests write -> frames as the web-messaging socket sends them. No I/O."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from connectors.simulator.interactions.frames import event_id, iso

OUTBOUND_SHARE = 0.1
TYPING_SHARE = 0.1


class Said(BaseModel):
    """One message of a guest. Without a queue or a fingerprint, the frame has none either."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(min_length=1)
    conversation_id: str = Field(min_length=1, alias="conversationId")
    fingerprint: str | dict[str, Any] | None = None
    queue_id: str | None = Field(default=None, alias="queueId")


@dataclass(frozen=True, slots=True)
class GuestFrame:
    """`kind` is inbound, redelivered, malformed, outbound or typing. `said_at` is in milliseconds since the epoch."""

    body: bytes
    kind: str
    event_id: str
    said_at: int
    said: Said


def frames(said: Said, said_at: int, rng: Random, *, redelivered: float, malformed: float) -> Iterator[GuestFrame]:
    """Yield the frames that a message makes: now and then it is followed by an agent's words or somebody's typing.

    `redelivered` is the share of messages that come twice, with the same bytes; `malformed` the share of those that
    are followed by a wrong frame. Every frame but a redelivered one has an event id of its own.
    """

    def made(kind: str, write: Callable[[dict[str, Any]], bytes]) -> GuestFrame:
        name = event_id(rng)
        return GuestFrame(write(_inbound(said, said_at, name)), kind, name, said_at, said)

    inbound = made("inbound", orjson.dumps)
    yield inbound
    if rng.random() < redelivered:
        yield replace(inbound, kind="redelivered")
    if rng.random() < malformed:
        yield made("malformed", MALFORMED[rng.choice(tuple(MALFORMED))])
    if rng.random() < OUTBOUND_SHARE:
        yield made("outbound", _with(direction="outbound", text="Thank you, somebody will be with you soon."))
    if rng.random() < TYPING_SHARE:
        yield made("typing", _with(type="typing"))


def _inbound(said: Said, said_at: int, name: str) -> dict[str, Any]:
    fingerprint = {} if said.fingerprint is None else {"browserFingerprint": said.fingerprint}
    routing = {} if said.queue_id is None else {"routing": {"queueId": said.queue_id}}
    return {
        "type": "message",
        "direction": "inbound",
        "eventId": name,
        "conversationId": said.conversation_id,
        "timestamp": iso(said_at),
        "text": said.text,
        "guest": {"name": "Guest", "locale": "en-US"},
        "metadata": {**fingerprint, **routing},
    }


def _with(**fields: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: orjson.dumps(good | fields)


# kind -> how a good frame becomes a bad one. Each of them has to end in the dead letters.
MALFORMED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "not json": lambda good: orjson.dumps(good)[:-20],
    "no conversation": _with(conversationId=None),
    "conversation is empty": _with(conversationId=""),
    "conversation is too long": _with(conversationId="x" * 257),
    "text is a list": _with(text=["Hello"]),
    "time cannot be read": _with(timestamp="yesterday at noon"),
    "time before telephones": _with(timestamp="1815-06-18T11:30:00.000Z"),
}
