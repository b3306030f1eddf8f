"""A change of a dashboard <-> what endpoints are told of it, and what their answers mean. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import orjson

from schemas.records import DashboardChange
from streams.core.calls.job import Done, Failed, Outcome
from streams.core.contract import Refused
from streams.core.times import END_OF_TIME

STAGE = "forwarding"
REFUSED = "refused by an endpoint"
LONGEST_WORDS = 300  # characters of an endpoint's that are kept

_TRY_AGAIN = {403, 404, 405, 408, 409, 425}  # not said of the change itself: somebody may put it right


@dataclass(slots=True)
class Telling:
    """A change, and which endpoints are settled: None where one took it, else its words. Lives as long as its job."""

    change: DashboardChange
    settled: dict[int, str | None] = field(default_factory=dict)


def reader(decode: Callable[[bytes], DashboardChange]) -> Callable[[bytes], tuple[str, Telling]]:
    """Return what reads a record's value: (dashboard id, what to tell). It raises ValueError."""

    def read(value: bytes) -> tuple[str, Telling]:
        change = decode(value)
        if not change.dashboard_id or not 0 <= change.received_at < END_OF_TIME:
            raise ValueError("a change has a dashboard, and a time in the years 1970 to 9999")
        return change.dashboard_id, Telling(change)

    return read


def body(change: DashboardChange) -> bytes:
    """Return what an endpoint is told: the record, its time as ISO 8601 text in UTC."""
    at = datetime.fromtimestamp(change.received_at / 1000, UTC).isoformat(timespec="milliseconds")
    return orjson.dumps(
        {
            "dashboard_id": change.dashboard_id,
            "event_type": change.event_type,
            "actor": change.actor,
            "etag": change.etag,
            "received_at": at.replace("+00:00", "Z"),
        }
    )


def settles(status: int) -> bool | None:
    """Whether an answer means that the endpoint took the change; None: it may another time."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return True
    if status in _TRY_AGAIN or not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return False


def outcome(telling: Telling, failures: Sequence[str]) -> Outcome:
    """Return what came of one attempt: `failures` are words about endpoints that are to be told again."""
    if failures:
        return Failed("; ".join(failures))
    refused = [f"{name(number)}: {words}" for number, words in telling.settled.items() if words is not None]
    return Refused(REFUSED, "; ".join(refused)) if refused else Done()


def name(number: int) -> str:
    """Return what an endpoint is called: its URL may hold a key."""
    return f"endpoint {number + 1} of DASHBOARDS_FORWARD_URLS"
