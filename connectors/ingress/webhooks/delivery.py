"""A checked request -> the record that Kafka gets: its raw bytes under an id, or a dead letter. No I/O."""

from dataclasses import dataclass

from connectors.ingress.webhooks.payload import Unusable
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE, DEAD_TRUNCATED
from schemas.envelope import EVENT_ID, RECEIVED_AT, SOURCE, WEBHOOK_PATH, Headers, Outgoing
from schemas.frame_fields import Paths
from schemas.topics import DEAD_LETTERS, RAW_WEBHOOKS

SOURCE_NAME = "webhooks"
STAGE = "connect webhooks"
LARGEST_BODY = 1 << 20  # bytes
LARGEST_DEAD_LETTER = 900_000  # bytes of a body: with key and headers it must fit a topic of default limits


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where CXone calls. `answered` is the name, in the answer, of the id that `id` leads to."""

    path: str
    id: Paths
    answered: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request of a known caller. `received_at` in milliseconds since the epoch."""

    path: str
    body: bytes
    received_at: int
    delivery_id: str | None
    door: str  # which of several took it


def raw_record(delivery: Delivery, key: str) -> Outgoing:
    """Return the record of a body that goes by `key`. What the caller showed to be let in is no part of it."""
    return Outgoing(RAW_WEBHOOKS.name, key.encode(), delivery.body, _headers(delivery))


def dead_letter(delivery: Delivery, why: Unusable) -> Outgoing:
    """Return the dead letter of a body that cannot be used: the platform may never send it again."""
    cut: Headers = ()
    if len(delivery.body) > LARGEST_DEAD_LETTER:
        cut = ((DEAD_TRUNCATED, b"%d" % len(delivery.body)),)
    said = (
        (DEAD_STAGE, STAGE.encode()),
        (DEAD_REASON, why.reason.encode()),
        (DEAD_DETAIL, why.detail.encode()),
        (DEAD_SOURCE, f"webhook:{delivery.door}:{delivery.path}".encode()),
    )
    return Outgoing(DEAD_LETTERS.name, None, delivery.body[:LARGEST_DEAD_LETTER], (*_headers(delivery), *said, *cut))


def _headers(delivery: Delivery) -> Headers:
    headers: Headers = (
        (SOURCE, f"{SOURCE_NAME}:{delivery.door}".encode()),
        (RECEIVED_AT, b"%d" % delivery.received_at),
        (WEBHOOK_PATH, delivery.path.encode()),
    )
    return headers if delivery.delivery_id is None else (*headers, (EVENT_ID, delivery.delivery_id.encode()))
