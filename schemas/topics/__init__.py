"""Every topic that carries records, in flow order: the only place where a topic's name is written.

The changelogs of stages follow from their declarations. `streams.topology.topics()` is all of them together.
"""

from schemas.topics.alerts import ALERTS
from schemas.topics.analytics import ANALYTICS_EVENTS, RAW_ANALYTICS, SUBSCRIPTIONS
from schemas.topics.audit import DASHBOARD_AUDIT, DASHBOARD_AUDIT_HEADS
from schemas.topics.dashboards import DASHBOARD_APPLIED, DASHBOARD_COMMANDS, DASHBOARD_RETRIES
from schemas.topics.dead_letters import DEAD_LETTERS, DEAD_LETTERS_SETTLED
from schemas.topics.event_time import EVENT_TIME
from schemas.topics.guests import (
    GUEST_ADMITTED,
    GUEST_MESSAGES,
    GUEST_THROTTLED,
    RAW_MESSAGES,
    ROUTING_RESULTS,
    ROUTING_RETRIES,
)
from schemas.topics.interactions import (
    CAMPAIGN_HOURLY,
    INTERACTIONS_COMPLETED,
    RAW_INTERACTIONS,
)
from schemas.topics.minutes import METRICS_PARTIALS, METRICS_SNAPSHOTS, ONLY_PARTITION
from schemas.topics.scoring import ML_SCORES
from schemas.topics.spec import CHANGELOG_CONFIG, DAY_MS, MINUTE_MS, ROW_AGE, ROW_AGE_MS, Cleanup, TopicSpec
from schemas.topics.webhooks import DASHBOARD_CHANGES, INTERACTIONS_ML, RAW_WEBHOOKS

TOPICS: tuple[TopicSpec, ...] = (
    RAW_INTERACTIONS,
    INTERACTIONS_COMPLETED,
    CAMPAIGN_HOURLY,
    EVENT_TIME,
    RAW_MESSAGES,
    GUEST_MESSAGES,
    GUEST_ADMITTED,
    GUEST_THROTTLED,
    *ROUTING_RETRIES,
    ROUTING_RESULTS,
    RAW_WEBHOOKS,
    INTERACTIONS_ML,
    DASHBOARD_CHANGES,
    SUBSCRIPTIONS,
    RAW_ANALYTICS,
    ANALYTICS_EVENTS,
    DASHBOARD_COMMANDS,
    *DASHBOARD_RETRIES,
    DASHBOARD_APPLIED,
    DASHBOARD_AUDIT,
    DASHBOARD_AUDIT_HEADS,
    METRICS_PARTIALS,
    METRICS_SNAPSHOTS,
    ML_SCORES,
    ALERTS,
    DEAD_LETTERS,
    DEAD_LETTERS_SETTLED,
)

__all__ = [
    "ALERTS",
    "ANALYTICS_EVENTS",
    "CAMPAIGN_HOURLY",
    "CHANGELOG_CONFIG",
    "DASHBOARD_APPLIED",
    "DASHBOARD_AUDIT",
    "DASHBOARD_AUDIT_HEADS",
    "DASHBOARD_CHANGES",
    "DASHBOARD_COMMANDS",
    "DASHBOARD_RETRIES",
    "DAY_MS",
    "DEAD_LETTERS",
    "DEAD_LETTERS_SETTLED",
    "EVENT_TIME",
    "GUEST_ADMITTED",
    "GUEST_MESSAGES",
    "GUEST_THROTTLED",
    "INTERACTIONS_COMPLETED",
    "INTERACTIONS_ML",
    "METRICS_PARTIALS",
    "METRICS_SNAPSHOTS",
    "MINUTE_MS",
    "ML_SCORES",
    "ONLY_PARTITION",
    "RAW_ANALYTICS",
    "RAW_INTERACTIONS",
    "RAW_MESSAGES",
    "RAW_WEBHOOKS",
    "ROUTING_RESULTS",
    "ROUTING_RETRIES",
    "ROW_AGE",
    "ROW_AGE_MS",
    "SUBSCRIPTIONS",
    "TOPICS",
    "Cleanup",
    "TopicSpec",
]
