"""What routing reads, writes and keeps."""

from schemas.topics import GUEST_ADMITTED, ROUTING_RESULTS, ROUTING_RETRIES
from streams.core.calls.ordered import split
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="routing",
    reads=GUEST_ADMITTED,
    beside=ROUTING_RETRIES,
    writes=(*ROUTING_RETRIES, ROUTING_RESULTS),
    tables=(
        Table(
            name="calls",
            key="partition | epoch | message, conversation",
            holds="what was answered, and what waits for another attempt",
            version=2,
            migrations={1: split},
        ),
    ),
    into="CXone's queues",
)
