"""Webhooks: raw -> actions -> interactions for models, changes of dashboards."""

from schemas.topics.spec import TopicSpec

RAW_WEBHOOKS = TopicSpec(
    name="cxone.raw.webhooks",
    key="interaction id or dashboard id",
    record="bytes as received",
    config={
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "2097152",  # a body of 1 MiB, which the door takes, and what surrounds it
    },
)
INTERACTIONS_ML = TopicSpec(
    name="cxone-interactions-ml", key="interaction id", record="CXoneInteraction", positions_of=RAW_WEBHOOKS.name
)
DASHBOARD_CHANGES = TopicSpec(
    name="cxone.dashboard.changes", key="dashboard id", record="DashboardChange", positions_of=RAW_WEBHOOKS.name
)
