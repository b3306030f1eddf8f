"""Topics of guests' messages: raw -> messages -> rate limit -> admitted -> routing (and its retry tiers), crm."""

from schemas.topics.spec import TopicSpec

RAW_MESSAGES = TopicSpec(
    name="cxone.raw.messages",
    key="fingerprint, or else conversation id",
    record="bytes as received",
    config={"message.timestamp.type": "LogAppendTime"},
)
GUEST_MESSAGES = TopicSpec(
    name="cxone.guest.messages",
    key="fingerprint, or else conversation id",
    record="GuestMessage",
    positions_of=RAW_MESSAGES.name,
)
GUEST_ADMITTED = TopicSpec(
    name="cxone.guest.admitted",
    key="conversation id",
    record="GuestMessage",
    positions_of=GUEST_MESSAGES.name,
)
GUEST_THROTTLED = TopicSpec(
    name="cxone.guest.throttled",
    key="conversation id",
    record="GuestThrottled",
)
# Records of one tier wait equally long, so that nobody waits behind somebody who waits longer.
ROUTING_RETRIES = tuple(
    TopicSpec(
        name=f"cxone.routing.retry.{tier}",
        key="conversation id",
        record="GuestMessage",
    )
    for tier in range(1, 6)
)
ROUTING_RESULTS = TopicSpec(
    name="cxone.routing.results",
    key="conversation id",
    record="RoutingResult",
)
