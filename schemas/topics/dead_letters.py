"""Where everything goes that a step cannot read or deliver."""

from schemas.topics.spec import DAY_MS, TopicSpec

DEAD_LETTERS = TopicSpec(
    name="cxone.dead-letters",
    key="key of the refused record",
    record="bytes of the refused record; the reason in headers",
    retention_ms=14 * DAY_MS,
)
