"""Topics of finished interactions: raw -> normalise -> completed -> percentiles -> hourly -> influx."""

from schemas.topics.spec import ROW_CONFIG, Cleanup, TopicSpec

RAW_INTERACTIONS = TopicSpec(
    name="cxone.raw.interactions",
    key="interaction id",
    record="bytes as received",
    # The horizon of redeliveries is measured by these times: no writer's clock may move it.
    config={"message.timestamp.type": "LogAppendTime"},
)
INTERACTIONS_COMPLETED = TopicSpec(
    name="cxone.interactions.completed",
    key="campaign id",
    record="InteractionCompleted",
    positions_of=RAW_INTERACTIONS.name,
)
CAMPAIGN_HOURLY = TopicSpec(
    name="cxone.campaign.hourly",
    key="campaign id|hour",
    record="CampaignHour",
    cleanup=Cleanup.COMPACT,
    config=ROW_CONFIG,
)
