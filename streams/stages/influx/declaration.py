"""What influx reads, writes and keeps."""

from schemas.topics import CAMPAIGN_HOURLY
from streams.core.declaration import Declaration

DECLARATION = Declaration(
    name="influx",
    reads=CAMPAIGN_HOURLY,
    into="InfluxDB",
)
