"""Every topic of the system, in flow order.

Interactions: raw -> normalise -> completed -> percentiles -> hourly -> influx.
Guests: raw -> messages -> guest messages -> rate limit -> admitted -> routing (and its retry tiers) -> results;
what the rate limit refuses -> throttled; admitted -> crm.

The only place where a topic's name is written. Programs walk `TOPICS`: `cxone-streams topics create|check`, the
worker's start-up check and the documentation.
"""

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
    the broker's number, which must be the same for topics that share `copartition`.
    """

    name: str
    key: str
    record: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = 12
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int = 7 * DAY_MS
    copartition: str | None = None
    config: dict[str, str] = field(default_factory=dict)


# A changelog is read from its beginning when a worker starts: compact it soon and in small segments.
CHANGELOG_CONFIG = {"segment.bytes": "33554432", "segment.ms": str(10 * MINUTE_MS), "min.cleanable.dirty.ratio": "0.1"}

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
RAW_MESSAGES = TopicSpec(
    name="cxone.raw.messages",
    key="fingerprint, or else conversation id",
    record="bytes as received",
    writers=("connect messaging",),
    readers=("messages",),
    copartition="messages",
    config={"message.timestamp.type": "LogAppendTime"},
)
MESSAGES_SEEN = TopicSpec(
    name="cxone-messages-seen-changelog",
    key="partition | epoch | slice of time | last offset | part",
    record="fingerprints of event ids",
    writers=("messages",),
    readers=("messages",),
    cleanup=Cleanup.COMPACT,
    copartition="messages",
    config=CHANGELOG_CONFIG,
)
GUEST_MESSAGES = TopicSpec(
    name="cxone.guest.messages",
    key="fingerprint, or else conversation id",
    record="GuestMessage",
    writers=("messages",),
    readers=("rate-limit",),
    copartition="rate-limit",
)
RATE_LIMIT_RECENT = TopicSpec(
    name="cxone-rate-limit-recent-changelog",
    key="partition | epoch | end of slice | last offset",
    record="recent messages by fingerprint",
    writers=("rate-limit",),
    readers=("rate-limit",),
    cleanup=Cleanup.COMPACT,
    copartition="rate-limit",
    config=CHANGELOG_CONFIG,
)
GUEST_ADMITTED = TopicSpec(
    name="cxone.guest.admitted",
    key="conversation id",
    record="GuestMessage",
    writers=("rate-limit",),
    readers=("routing", "crm"),
    copartition="routing",
)
GUEST_THROTTLED = TopicSpec(
    name="cxone.guest.throttled",
    key="conversation id",
    record="GuestThrottled",
    writers=("rate-limit",),
    readers=(),
)
# Records of one tier wait equally long, so that nobody waits behind somebody who waits longer.
ROUTING_RETRIES = tuple(
    TopicSpec(
        name=f"cxone.routing.retry.{tier}",
        key="conversation id",
        record="GuestMessage",
        writers=("routing",),
        readers=("routing",),
        copartition="routing",
    )
    for tier in range(1, 6)
)
ROUTING_CALLS = TopicSpec(
    name="cxone-routing-calls-changelog",
    key="partition | epoch | conversation",
    record="what was answered, and what waits for another attempt",
    writers=("routing",),
    readers=("routing",),
    cleanup=Cleanup.COMPACT,
    copartition="routing",
    config=CHANGELOG_CONFIG,
)
ROUTING_RESULTS = TopicSpec(
    name="cxone.routing.results",
    key="conversation id",
    record="RoutingResult",
    writers=("routing",),
    readers=(),
)
CRM_BATCHES = TopicSpec(
    name="cxone-crm-batches-changelog",
    key="partition | epoch",
    record="batches under way",
    writers=("crm",),
    readers=("crm",),
    cleanup=Cleanup.COMPACT,
    copartition="routing",
    config=CHANGELOG_CONFIG,
)
DEAD_LETTERS = TopicSpec(
    name="cxone.dead-letters",
    key="key of the refused record",
    record="bytes of the refused record; the reason in headers",
    writers=(
        *("connect interactions", "normalise", "percentiles", "influx"),
        *("connect messaging", "messages", "rate-limit", "routing", "crm"),
    ),
    readers=(),
    retention_ms=14 * DAY_MS,
)

TOPICS: tuple[TopicSpec, ...] = (
    RAW_INTERACTIONS,
    NORMALISE_SEEN,
    INTERACTIONS_COMPLETED,
    PERCENTILES_WINDOWS,
    CAMPAIGN_HOURLY,
    RAW_MESSAGES,
    MESSAGES_SEEN,
    GUEST_MESSAGES,
    RATE_LIMIT_RECENT,
    GUEST_ADMITTED,
    GUEST_THROTTLED,
    *ROUTING_RETRIES,
    ROUTING_CALLS,
    ROUTING_RESULTS,
    CRM_BATCHES,
    DEAD_LETTERS,
)
