"""What sqlite reads and writes."""

from schemas.topics import METRICS_SNAPSHOTS
from streams.core.declaration import Declaration

DECLARATION = Declaration(
    name="sqlite",
    reads=METRICS_SNAPSHOTS,
    into="SQLite",
)
