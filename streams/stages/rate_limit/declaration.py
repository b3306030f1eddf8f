"""What rate-limit reads, writes and keeps."""

from schemas.topics import GUEST_ADMITTED, GUEST_MESSAGES, GUEST_THROTTLED
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="rate-limit",
    reads=GUEST_MESSAGES,
    writes=(GUEST_ADMITTED, GUEST_THROTTLED),
    tables=(
        Table(
            name="recent",
            key="partition | epoch | era.end of slice | last offset | part",
            holds="recent messages by guest and conversation",
            version=2,
            migrations={1: dict},  # parts say of which version they are
        ),
    ),
)
