"""How far event time has come in each partition of the raw topics: stages that read raw -> whoever aggregates."""

from schemas.topics.spec import CHANGELOG_CONFIG, Cleanup, TopicSpec

EVENT_TIME = TopicSpec(
    name="cxone.event-time",
    key="raw topic|partition|destination",
    record="EventTimeProgress",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    # Where nothing comes, time goes on by these times: no worker's clock may move it.
    config={**CHANGELOG_CONFIG, "message.timestamp.type": "LogAppendTime"},
)
