"""Admitted messages for the tests of the CRM's stage."""

from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.records import GuestMessage
from schemas.releases import FileSchemaIds
from schemas.topics import GUEST_ADMITTED
from streams.core.contract import Chunk

CODEC = Codec(FileSchemaIds())
encode, decode = CODEC.encoder(GuestMessage), CODEC.decoder(GuestMessage)

NINE = 1_795_251_600_000  # ms: 2026-11-21T09:00:00Z


def message(text: str = "hello", *, conversation: str = "c-1", received_at: int = NINE) -> GuestMessage:
    return GuestMessage("e-1", conversation, "f-1", text, "default", NINE, received_at)


def record(
    offset: int, value: bytes | GuestMessage | None = b"", *, source: tuple[int, int] | None = None, at: int = NINE
) -> Consumed:
    """Return the record at `offset`; without a source position, raw partition 0 and the same offset."""
    if value == b"":
        value = message(conversation=f"c-{offset}")
    raw, position = source or (0, offset)
    value = encode(value) if isinstance(value, GuestMessage) else value
    return Consumed(offset, value, b"key", ((SOURCE_POSITION, b"%d:%d" % (raw, position)),), at)


def chunk(*records: Consumed, partition: int = 3) -> Chunk:
    return Chunk(GUEST_ADMITTED.name, partition, records)
