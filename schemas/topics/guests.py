"""Topics of guests' messages: raw -> messages -> rate limit -> admitted -> routing (and its retry tiers), crm."""

from schemas.topics.spec import CHANGELOG_CONFIG, Cleanup, TopicSpec

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
