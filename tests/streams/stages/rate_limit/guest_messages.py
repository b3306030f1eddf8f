"""Guest messages for the tests of the rate limit, and what becomes of them."""

from prometheus_client import REGISTRY

from schemas.avro import Codec
from schemas.envelope import EVENT_ID, SOURCE_POSITION, Consumed, Outgoing
from schemas.records import GuestMessage, GuestThrottled
from schemas.releases import FileSchemaIds
from schemas.topics import GUEST_MESSAGES
from streams.core.contract import Change, Chunk
from streams.stages.rate_limit.guests import Guests
from streams.stages.rate_limit.window import Policy

CODEC = Codec(FileSchemaIds())
encode, decode_throttled = CODEC.encoder(GuestMessage), CODEC.decoder(GuestThrottled)

NOW = 1_795_250_400_000  # ms
SECOND = 1_000
WINDOW = 60 * SECOND
POLICY = Policy(
    limit=15,
    conversation_limit=1000,
    ceiling=1_000_000,
    window=WINDOW,
    lateness=WINDOW,
    clock_skew=10 * SECOND,
    count_refused=False,
)


def guests(stored: dict[bytes, bytes] | None = None, policy: Policy = POLICY) -> Guests:
    return Guests(
        4,
        stored or {},
        policy=policy,
        decode=CODEC.decoder(GuestMessage),
        encode=CODEC.encoder(GuestThrottled),
    )


def message(
    at: int = NOW, *, fingerprint: str | None = "f-1", conversation: str = "c-1", sent: int | None = None
) -> GuestMessage:
    return GuestMessage(
        event_id="e-1",
        conversation_id=conversation,
        fingerprint=fingerprint,
        text="hello?",
        queue_id="billing",
        sent_at=at if sent is None else sent,
        received_at=at,
    )


def record(offset: int, content: GuestMessage | bytes, position: bytes | None = None) -> Consumed:
    value = content if isinstance(content, bytes) else encode(content)
    headers = ((SOURCE_POSITION, b"2:%d" % offset if position is None else position), (EVENT_ID, b"e-1"))
    return Consumed(offset, value, b"f-1", headers, NOW)


def fold(stage: Guests, *records: Consumed) -> int:
    return stage.fold(Chunk(GUEST_MESSAGES.name, 4, records))


def outputs(stage: Guests) -> list[Outgoing]:
    return stage.flush(0.0, seal=False).outputs


def topics(stage: Guests) -> list[str]:
    """Return what became of each message: the last word of its topic."""
    return [output.topic.rsplit(".", 1)[1] for output in outputs(stage)]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("cxone_rate_limit_messages_total", {"outcome": outcome}) or 0.0


def full(limit: str) -> float:
    return REGISTRY.get_sample_value("cxone_rate_limit_full_total", {"limit": limit}) or 0.0


def store(changelog: dict[bytes, bytes], changes: list[Change]) -> None:
    for change in changes:
        if change.value is None:
            changelog.pop(change.key, None)
        else:
            changelog[change.key] = change.value
