"""Topics of dashboards: commands -> dashboards (and its retry tiers) -> applied, and the audit trail."""

from schemas.topics.spec import Cleanup, TopicSpec

DASHBOARD_COMMANDS = TopicSpec(
    name="cxone.dashboard.commands",
    key="dashboard id",
    record="DashboardCommand",
)
# Records of one tier wait equally long, so that nobody waits behind somebody who waits longer.
DASHBOARD_RETRIES = tuple(
    TopicSpec(
        name=f"cxone.dashboard.retry.{tier}",
        key="dashboard id",
        record="DashboardCommand",
    )
    for tier in range(1, 6)
)
DASHBOARD_APPLIED = TopicSpec(
    name="cxone.dashboard.applied",
    key="dashboard id",
    record="DashboardApplied",
    cleanup=Cleanup.COMPACT,
)
