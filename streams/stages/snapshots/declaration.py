"""What snapshots reads, writes and keeps."""

from schemas.topics import METRICS_PARTIALS, METRICS_SNAPSHOTS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="snapshots",
    reads=METRICS_PARTIALS,
    writes=(METRICS_SNAPSHOTS,),
    tables=(Table(name="minutes", key="partition | epoch | kind | minute | queue", holds="minutes and fingerprints"),),
)
