"""The topics of the audit trail: dashboards -> audit -> day files."""

from schemas.topics.spec import DAY_MS, TopicSpec

DASHBOARD_AUDIT = TopicSpec(
    name="cxone.dashboard.audit",
    key="dashboard id",
    record="AuditEntry",
    retention_ms=400 * DAY_MS,
)
DASHBOARD_AUDIT_HEADS = TopicSpec(
    name="cxone.dashboard.audit.heads",
    key="id of the key that signed",
    record="AuditHead",
    partitions=1,  # they are a chain of their own
    retention_ms=400 * DAY_MS,
)
