"""What messages reads, writes and keeps."""

from schemas.topics import GUEST_MESSAGES, RAW_MESSAGES
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="messages",
    reads=RAW_MESSAGES,
    writes=(GUEST_MESSAGES,),
    tables=(
        Table(
            name="seen", key="partition | epoch | slice of time | last offset | part", holds="fingerprints of event ids"
        ),
    ),
)
