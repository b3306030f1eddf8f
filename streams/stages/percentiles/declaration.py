"""What percentiles reads, writes and keeps."""

from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="percentiles",
    reads=INTERACTIONS_COMPLETED,
    writes=(CAMPAIGN_HOURLY,),
    tables=(Table(name="windows", key="partition | epoch | [campaign, hour]", holds="windows"),),
)
