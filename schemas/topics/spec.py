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


# A changelog is read from its beginning when a worker starts: compact it soon and in small segments.
CHANGELOG_CONFIG = {"segment.bytes": "33554432", "segment.ms": str(10 * MINUTE_MS), "min.cleanable.dirty.ratio": "0.1"}
