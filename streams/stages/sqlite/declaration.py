"""What sqlite reads and writes."""

from schemas.topics import ALERTS, METRICS_SNAPSHOTS
from streams.core.declaration import Declaration

DECLARATION = Declaration(
    name="sqlite",
    reads=METRICS_SNAPSHOTS,
    beside=(ALERTS,),
    into="SQLite",
)
