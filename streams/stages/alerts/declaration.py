"""What alerts reads, writes and keeps."""

from schemas.topics import ALERTS, METRICS_SNAPSHOTS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="alerts",
    reads=METRICS_SNAPSHOTS,
    writes=(ALERTS,),
    tables=(
        Table(
            name="minutes",
            key="partition | epoch | m | minute | queue, or s | queue",
            holds="final minutes, and of each queue its alerts and what came before those minutes",
        ),
    ),
)
