"""What a topic is."""

from dataclasses import dataclass, field
from enum import StrEnum

MINUTE_MS = 60_000

DAY_MS = 24 * 60 * MINUTE_MS


class Cleanup(StrEnum):
    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic as it must be on the broker.

    `retention_ms` counts for `Cleanup.DELETE` only. `partitions` is what `topics create` makes; a running system takes
    the broker's number, which must be the same for topics that share `copartition`. Who writes and reads a topic, and
    what shares its partitions, follows from the stages' declarations: see `streams.topology`.
    `positions_of` is the topic that source positions of its records are of; None where they are its own offsets.
    """

    name: str
    key: str
    record: str
    partitions: int = 12
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int = 7 * DAY_MS
    copartition: str | None = None
    config: dict[str, str] = field(default_factory=dict)
    positions_of: str | None = None


# Rows go over earlier ones of their key. A worker stamps them so that they are too old from the moment on at which its
# partitions may be another's: what comes later is refused. Kafka 3.6 and Redpanda 25.3 can do that. With the usual
# session of 15 s, in which a lease lasts for 12 s and is renewed each 3 s, it is nearly always the time of writing.
ROW_AGE_MS = 8_000
ROW_AGE = "message.timestamp.before.max.ms"
ROW_CONFIG = {"message.timestamp.type": "CreateTime", ROW_AGE: str(ROW_AGE_MS)}

# A changelog is read from its beginning when a worker starts: compact it soon and in small segments.
CHANGELOG_CONFIG = {"segment.bytes": "33554432", "segment.ms": str(10 * MINUTE_MS), "min.cleanable.dirty.ratio": "0.1"}
