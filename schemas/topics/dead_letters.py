"""Where everything goes that a step cannot read or deliver, and what persons decide of it."""

from schemas.topics.spec import DAY_MS, Cleanup, TopicSpec

DEAD_LETTERS = TopicSpec(
    name="cxone.dead-letters",
    key="key of the refused record",
    record="bytes of the refused record; the reason in headers",
    retention_ms=14 * DAY_MS,
)
DEAD_LETTERS_SETTLED = TopicSpec(
    name="cxone.dead-letters.settled",
    key="stage|topic:partition:offset of the refused record",
    record="what was decided, as JSON",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    # Longer than any dead letter is kept, its last segment included.
    config={"cleanup.policy": "compact,delete", "retention.ms": str(60 * DAY_MS)},
)
