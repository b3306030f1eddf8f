"""What partials reads, writes and keeps."""

from schemas.topics import ANALYTICS_EVENTS, METRICS_PARTIALS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="partials",
    reads=ANALYTICS_EVENTS,
    writes=(METRICS_PARTIALS,),
    tables=(Table(name="sums", key="partition | epoch | minute | queue", holds="sums of minutes"),),
)
