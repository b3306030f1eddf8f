"""Topics of the contact centre's events: raw -> analytics -> events."""

from schemas.topics.spec import Cleanup, TopicSpec

SUBSCRIPTIONS = TopicSpec(
    name="cxone.subscriptions",
    key="what is subscribed to, and where",
    record="the subscription's id, as JSON",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    # Of two that were made at the same time the earlier counts: both are there until whoever was late has seen it.
    config={"min.compaction.lag.ms": "86400000"},
)
RAW_ANALYTICS = TopicSpec(
    name="cxone.raw.analytics",
    key="agent, or else interaction or queue",
    record="bytes as received",
    # The horizon of redeliveries is measured by these times: no writer's clock may move it.
    config={"message.timestamp.type": "LogAppendTime"},
)
ANALYTICS_EVENTS = TopicSpec(
    name="cxone.analytics.events",
    key="agent, or else interaction, queue or event",
    record="AnalyticsEvent",
    positions_of=RAW_ANALYTICS.name,
)
