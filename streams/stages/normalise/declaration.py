"""What normalise reads, writes and keeps."""

from schemas.topics import EVENT_TIME, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="normalise",
    reads=RAW_INTERACTIONS,
    writes=(INTERACTIONS_COMPLETED, EVENT_TIME),
    tables=(
        Table(
            name="seen", key="partition | epoch | slice of time | last offset | part", holds="fingerprints of event ids"
        ),
    ),
)
