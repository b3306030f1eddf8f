"""What partials reads, writes and keeps."""

from schemas.topics import ANALYTICS_EVENTS, METRICS_PARTIALS, RAW_ANALYTICS
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="partials",
    reads=ANALYTICS_EVENTS,
    behind=RAW_ANALYTICS,
    writes=(METRICS_PARTIALS,),
    tables=(Table(name="sums", key="partition | epoch | minute | queue", holds="sums of minutes"),),
)
