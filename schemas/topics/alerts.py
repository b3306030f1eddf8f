"""Topics of alerts: minutes -> alerts."""

from schemas.topics.spec import DAY_MS, ROW_CONFIG, Cleanup, TopicSpec

ALERTS = TopicSpec(
    name="cxone.alerts",
    key="alert id",
    record="AlertRecord",
    partitions=1,  # whoever writes a file or tells of alerts reads all of them, in order
    cleanup=Cleanup.COMPACT,
    config={**ROW_CONFIG, "cleanup.policy": "compact,delete", "retention.ms": str(90 * DAY_MS)},
)
