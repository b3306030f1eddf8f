"""What analytics reads, writes and keeps."""

from schemas.topics import ANALYTICS_EVENTS, EVENT_TIME, RAW_ANALYTICS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="analytics",
    reads=RAW_ANALYTICS,
    writes=(ANALYTICS_EVENTS, EVENT_TIME),
    tables=(
        Table(
            name="seen", key="partition | epoch | slice of time | last offset | part", holds="fingerprints of event ids"
        ),
    ),
)
