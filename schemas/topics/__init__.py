"""Every topic of the system, in flow order.

The only place where a topic's name is written. Programs walk `TOPICS`: `cxone-streams topics create|check`, the
worker's start-up check and the documentation.
"""

from schemas.topics.dead_letters import DEAD_LETTERS
from schemas.topics.guests import (
    CRM_BATCHES,
    GUEST_ADMITTED,
    GUEST_MESSAGES,
    GUEST_THROTTLED,
    MESSAGES_SEEN,
    RATE_LIMIT_RECENT,
    RAW_MESSAGES,
    ROUTING_CALLS,
    ROUTING_RESULTS,
    ROUTING_RETRIES,
)
from schemas.topics.interactions import (
    CAMPAIGN_HOURLY,
    INTERACTIONS_COMPLETED,
    NORMALISE_SEEN,
    PERCENTILES_WINDOWS,
    RAW_INTERACTIONS,
)
from schemas.topics.spec import CHANGELOG_CONFIG, DAY_MS, MINUTE_MS, Cleanup, TopicSpec

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

__all__ = [
    "CAMPAIGN_HOURLY",
    "CHANGELOG_CONFIG",
    "CRM_BATCHES",
    "DAY_MS",
    "DEAD_LETTERS",
    "GUEST_ADMITTED",
    "GUEST_MESSAGES",
    "GUEST_THROTTLED",
    "INTERACTIONS_COMPLETED",
    "MESSAGES_SEEN",
    "MINUTE_MS",
    "NORMALISE_SEEN",
    "PERCENTILES_WINDOWS",
    "RATE_LIMIT_RECENT",
    "RAW_INTERACTIONS",
    "RAW_MESSAGES",
    "ROUTING_CALLS",
    "ROUTING_RESULTS",
    "ROUTING_RETRIES",
    "TOPICS",
    "Cleanup",
    "TopicSpec",
]
