"""Topics of finished interactions: raw -> normalise -> completed -> percentiles -> hourly -> influx."""

from schemas.topics.spec import CHANGELOG_CONFIG, Cleanup, TopicSpec

RAW_INTERACTIONS = TopicSpec(
    name="cxone.raw.interactions",
    key="interaction id",
    record="bytes as received",
    writers=("connect interactions",),
    readers=("normalise",),
    copartition="normalise",
    # The horizon of redeliveries is measured by these times: no writer's clock may move it.
    config={"message.timestamp.type": "LogAppendTime"},
)
NORMALISE_SEEN = TopicSpec(
    name="cxone-normalise-seen-changelog",
    key="partition | epoch | slice of time | last offset | part",
    record="fingerprints of event ids",
    writers=("normalise",),
    readers=("normalise",),
    cleanup=Cleanup.COMPACT,
    copartition="normalise",
    config=CHANGELOG_CONFIG,
)
INTERACTIONS_COMPLETED = TopicSpec(
    name="cxone.interactions.completed",
    key="campaign id",
    record="InteractionCompleted",
    writers=("normalise",),
    readers=("percentiles",),
    copartition="percentiles",
)
PERCENTILES_WINDOWS = TopicSpec(
    name="cxone-percentiles-windows-changelog",
    key="partition | epoch | hour | campaign",
    record="window state",
    writers=("percentiles",),
    readers=("percentiles",),
    cleanup=Cleanup.COMPACT,
    copartition="percentiles",
    config=CHANGELOG_CONFIG,
)
CAMPAIGN_HOURLY = TopicSpec(
    name="cxone.campaign.hourly",
    key="campaign id|hour",
    record="CampaignHour",
    writers=("percentiles",),
    readers=("influx",),
    cleanup=Cleanup.COMPACT,
)
