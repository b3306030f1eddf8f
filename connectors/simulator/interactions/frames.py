"""Frames as CXone sends them, and frames as nobody should send them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson

from connectors.simulator.interactions.campaigns import Campaign

CONFIRMATION = orjson.dumps({"type": "subscription.confirmed", "subscription": ["interaction.completed"]})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SKILLS = ("billing", "support", "sales", "retention", "claims")
_DISPOSITIONS = ("resolved", "callback", "transferred", "no answer", "escalated")


@dataclass(frozen=True, slots=True)
class Event:
    """One completed interaction as the truth knows it: durations in seconds, `completed_at` in milliseconds."""

    event_id: str
    campaign_id: str
    completed_at: int
    handle_time: int
    wait_time: int


def frame(event: Event, campaign: Campaign, rng: Random) -> dict[str, Any]:
    """Return the frame of `event` before it is written as JSON: about 700 bytes of it.

    A few frames carry no `timestamp`, only the payload's `completionTime`, as CXone's documentation allows.
    """
    completed = iso(event.completed_at)
    bits = rng.getrandbits(96)
    payload = {
        "interactionId": f"int-{bits:024x}",
        "contactId": str(bits % 10**12),
        "masterContactId": str(bits % 10**12),
        "campaignId": event.campaign_id,
        "campaignName": campaign.name,
        "skillName": _SKILLS[bits % 5],
        "mediaType": "voice",
        "direction": "inbound",
        "agentId": f"agent-{bits % 800:04}",
        "teamId": f"team-{bits % 20:02}",
        "fromAddress": f"+1555{bits % 10**7:07}",
        "toAddress": "+18005550100",
        "startTime": iso(event.completed_at - 1000 * (event.handle_time + event.wait_time)),
        "completionTime": completed,
        "handleTime": event.handle_time,
        "waitTime": event.wait_time,
        "holdTime": event.handle_time // 9,
        "afterCallWorkTime": event.handle_time // 7,
        "disposition": _DISPOSITIONS[bits % 5],
        "abandoned": False,
    }
    stamped = {"timestamp": completed} if bits % 50 else {}
    return {"eventId": event.event_id, "type": "interaction.completed", "version": "2.0", **stamped, "payload": payload}


def event_id(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def iso(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _payload(**fields: object) -> Callable[[dict[str, Any]], bytes]:
    def spoil(good: dict[str, Any]) -> bytes:
        return orjson.dumps(good | {"payload": good["payload"] | fields})

    return spoil


def _without(field: str) -> Callable[[dict[str, Any]], bytes]:
    def spoil(good: dict[str, Any]) -> bytes:
        return orjson.dumps(good | {"payload": {k: v for k, v in good["payload"].items() if k != field}})

    return spoil


def _completed(text: str) -> Callable[[dict[str, Any]], bytes]:
    def spoil(good: dict[str, Any]) -> bytes:
        return orjson.dumps(good | {"timestamp": text, "payload": good["payload"] | {"completionTime": text}})

    return spoil


def _literal(field: str, text: bytes) -> Callable[[dict[str, Any]], bytes]:
    """Write `text` where JSON has no word for the value, as careless serialisers do."""

    def spoil(good: dict[str, Any]) -> bytes:
        return _payload(**{field: "@@"})(good).replace(b'"@@"', text)

    return spoil


def _no_time(good: dict[str, Any]) -> bytes:
    payload = {k: v for k, v in good["payload"].items() if k != "completionTime"}
    return orjson.dumps({k: v for k, v in good.items() if k != "timestamp"} | {"payload": payload})


# kind -> how a good frame becomes a bad one. Each of them has to end in the dead letters.
MALFORMED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "not json": lambda good: orjson.dumps(good)[:-40],
    "no campaign": _without("campaignId"),
    "no handle time": _without("handleTime"),
    "no time": _no_time,
    "negative handle time": _payload(handleTime=-1),
    "negative wait time": _payload(waitTime=-0.5),
    "handle time is NaN": _literal("handleTime", b"NaN"),
    "handle time is infinite": _literal("handleTime", b"1e999"),
    "boolean as wait time": _payload(waitTime=True),
    "campaign is empty": _payload(campaignId=""),
    "campaign is too long": _payload(campaignId="x" * 257),
    "campaign is a list": _payload(campaignId=["campaign-001"]),
    "time cannot be read": _completed("yesterday at noon"),
    "time before telephones": _completed("1815-06-18T11:30:00.000Z"),
    "time in the far future": _completed("2999-12-31T23:59:59.999Z"),
}
