"""Topics of the contact centre's minutes: events -> partials -> snapshots.

Both have one partition: a minute's partials must meet, and whoever raises alerts or writes a file reads all minutes.
Where a topic has more all the same (the embedded broker), only the first one is written.
"""

from schemas.topics.spec import DAY_MS, ROW_CONFIG, Cleanup, TopicSpec

ONLY_PARTITION = 0

METRICS_PARTIALS = TopicSpec(
    name="cxone.metrics.partials",
    key="partition of the events",
    record="MinutePartials",
    partitions=1,
    retention_ms=DAY_MS,
)
METRICS_SNAPSHOTS = TopicSpec(
    name="cxone.metrics.snapshots",
    key="minute|queue",
    record="MetricSnapshot",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    config={**ROW_CONFIG, "cleanup.policy": "compact,delete", "retention.ms": str(90 * DAY_MS)},
)
