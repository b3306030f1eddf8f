"""What actions reads, writes and keeps."""

from schemas.topics import DASHBOARD_CHANGES, INTERACTIONS_ML, RAW_WEBHOOKS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="actions",
    reads=RAW_WEBHOOKS,
    writes=(INTERACTIONS_ML, DASHBOARD_CHANGES),
    tables=(
        Table(
            name="seen",
            key="partition | epoch | slice of time | last offset | part",
            holds="fingerprints of deliveries",
        ),
    ),
)
