"""Subscriptions to CXone's events, made once: found by name, or by what is remembered where CXone lists none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from connectors.cxone.dashboards import DashboardApi
from connectors.errors import AuthorizationError, ConfigurationError, Unavailable
from connectors.http.exchange import Answer
from schemas.frame_fields import identity

NAME = "cxone-streams dashboards"
EVENTS = ("dashboard.updated", "dashboard.created")
LONGEST_WORDS = 300

_ID = (("subscriptionId",), ("id",))  # as the shipped dialect finds the id of a subscription to analytics
_NOT_LISTED = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription, and whether it was made just now."""

    id: str
    made: bool


def wanted(url: str) -> dict[str, object]:
    """Return the subscription to changes of all dashboards, delivered to `url`."""
    return {
        "name": NAME,
        "eventFilters": [{"eventType": event, "entityId": "*"} for event in EVENTS],
        "delivery": {
            "type": "webhook",
            "url": url,
            "retryPolicy": {"maxRetries": 3, "backoff": "exponential"},
        },
        "active": True,
    }


class Memory(Protocol):
    """What was made for one URL: `connectors.kafka.key_history.KeyHistory`."""

    async def recall(self) -> Sequence[bytes]: ...

    async def remember(self, value: bytes) -> None: ...


def memory_key(url: str) -> bytes:
    """Return the key in cxone.subscriptions of what was made for `url`."""
    return f"{NAME}|{url}".encode()


async def subscribe(api: DashboardApi, url: str, memory: Memory) -> Subscribed:
    """Subscribe to changes of dashboards, delivered to `url`, unless that is done.

    Raises AuthorizationError when a scope is missing, ConfigurationError when one of this name delivers elsewhere,
    Unavailable when CXone or Kafka cannot be asked, or CXone names no id.
    """
    listed = (await api.subscriptions()).answer
    if listed.is_success:
        ours = [each for each in _entities(listed) if each.get("name") == NAME]
        if ours:
            return _there(next((each for each in ours if _delivers_to(each, url)), ours[0]), url)
    elif listed.status in _NOT_LISTED:
        for value in await memory.recall():
            if known := _remembered(value):
                return Subscribed(known, made=False)
    else:
        _refused(listed, "event:subscribe")
    made = (await api.subscribe(wanted(url))).answer
    if not made.is_success:
        _refused(made, "event:subscribe and webhook:write")
    name = identity(made.object(), _ID)
    if name is None:
        raise Unavailable(f"CXone answered {made.status} to the subscription, without an id: it cannot be remembered")
    await memory.remember(orjson.dumps({"id": name}))
    return Subscribed(name, made=True)


def _remembered(value: bytes) -> str | None:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return identity(found, _ID) if isinstance(found, dict) else None


def _entities(answer: Answer) -> list[Mapping[str, Any]]:
    found = answer.json()
    if isinstance(found, Mapping):
        found = found.get("entities", found.get("subscriptions"))
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _delivers_to(subscription: Mapping[str, Any], url: str) -> bool:
    delivery = subscription.get("delivery")
    return isinstance(delivery, Mapping) and delivery.get("url") == url


def _there(subscription: Mapping[str, Any], url: str) -> Subscribed:
    if not _delivers_to(subscription, url):
        raise ConfigurationError(
            f"CXone has a subscription named {NAME!r} that delivers to another URL: remove it there first"
        )
    if subscription.get("active") is False:
        raise ConfigurationError(f"CXone's subscription named {NAME!r} is not active: switch it on, or remove it there")
    return Subscribed(identity(subscription, _ID) or "", made=False)


def _refused(answer: Answer, scopes: str) -> None:
    words = answer.words((), LONGEST_WORDS)
    if answer.status == HTTPStatus.FORBIDDEN:
        raise AuthorizationError(f"CXone refused the subscription (403): the OAuth client needs {scopes}. {words}")
    if answer.is_client_error:
        raise ConfigurationError(f"CXone refused the subscription ({answer.status}): {words}")
    raise Unavailable(f"CXone answered {answer.status}")
