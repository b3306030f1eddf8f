"""What percentiles reads, writes and keeps."""

from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.core.declaration import Declaration, Table
from streams.core.keyed_rows import VERSION

DECLARATION = Declaration(
    name="percentiles",
    reads=INTERACTIONS_COMPLETED,
    behind=RAW_INTERACTIONS,
    writes=(CAMPAIGN_HOURLY,),
    tables=(
        Table(
            name="windows",
            key="partition | epoch | [campaign, hour]",
            holds="windows",
            version=VERSION + 1,  # final hours are packed; 3 was that, with the positions of before
            migrations=dict.fromkeys((VERSION - 1, VERSION), lambda stored: stored),  # those are read as they are
            offsets=False,
        ),
    ),
)
