"""A guest's message <-> CXone's routing API. Pure."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from schemas.envelope import EVENT_ID, SOURCE_POSITION, Outgoing
from schemas.records import GuestMessage, RoutingResult
from schemas.topics import ROUTING_RESULTS
from streams.core.calls.job import Done, Failed, Job, Outcome
from streams.core.contract import Refused

STAGE = "routing"
QUEUE_REFUSED = "refused by CXone"
FORBIDDEN = "forbidden by CXone"
LONGEST_WORDS = 500  # characters of CXone's that are kept
LONGEST_ID = 256

_PERMANENT = {HTTPStatus.BAD_REQUEST: QUEUE_REFUSED, HTTPStatus.FORBIDDEN: FORBIDDEN}
_GUEST_DOMAIN = "temp.cxone.com"
_LAST_NAME = 8  # characters of the fingerprint


def request(message: GuestMessage) -> bytes:
    """Return the body that puts a message into its queue."""
    return orjson.dumps(
        {
            "type": "webchat",
            "queueId": message.queue_id,
            "customer": {
                "id": message.conversation_id,
                "firstName": "Guest",
                "lastName": message.guest[:_LAST_NAME],
                "email": f"guest_{message.conversation_id}@{_GUEST_DOMAIN}",
            },
            "media": {"webchat": {"message": message.text, "url": ""}},
        }
    )


def outcome(  # noqa: PLR0913 - an answer, and all that it is measured by
    status: int,
    body: bytes,
    job: Job[GuestMessage],
    *,
    now: int,
    target: float,
    encode: Callable[[RoutingResult], bytes],
) -> Outcome:
    """Return what an answer means. `now` in milliseconds, `target` (from frame to answer) in seconds."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        result = _result(job, _words(body).get("id"), now, target)
        headers = tuple(pair for pair in job.record.headers if pair[0] in {SOURCE_POSITION, EVENT_ID})
        return Done((Outgoing(ROUTING_RESULTS.name, job.record.key, encode(result), headers),))
    words = _words(body)
    said = " ".join(filter(None, (_scalar(words.get(name)) for name in ("code", "message", "error"))))[:LONGEST_WORDS]
    answered = f"{status} {said}".strip()
    if reason := _PERMANENT.get(HTTPStatus(status)) if status in set(HTTPStatus) else None:
        return Refused(reason, answered)
    return Failed(answered)


def _result(job: Job[GuestMessage], routing_id: object, now: int, target: float) -> RoutingResult:
    message = job.message
    seconds = max(now - message.received_at, 0) / 1000
    return RoutingResult(
        event_id=message.event_id,
        conversation_id=message.conversation_id,
        fingerprint=message.fingerprint,
        queue_id=message.queue_id,
        routing_id=_scalar(routing_id)[:LONGEST_ID] or None,
        attempts=job.attempt,
        received_at=message.received_at,
        routed_at=now,
        seconds=seconds,
        within_target=seconds <= target,
    )


def _scalar(value: object) -> str:
    """Return text or a number as text; nothing for the rest: a list may be nested deeper than Python recurses."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _words(body: bytes) -> Mapping[str, Any]:
    try:
        words = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {"message": body.decode("utf-8", "replace")} if body else {}
    return words if isinstance(words, dict) else {}
