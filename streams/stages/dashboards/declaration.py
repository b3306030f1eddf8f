"""What dashboards reads, writes and keeps."""

from schemas.topics import DASHBOARD_APPLIED, DASHBOARD_AUDIT, DASHBOARD_COMMANDS, DASHBOARD_RETRIES, SUBSCRIPTIONS
from streams.core.calls.ordered import split
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="dashboards",
    reads=DASHBOARD_COMMANDS,
    beside=DASHBOARD_RETRIES,
    writes=(DASHBOARD_COMMANDS, *DASHBOARD_RETRIES, DASHBOARD_APPLIED, DASHBOARD_AUDIT, SUBSCRIPTIONS),
    tables=(
        Table(
            name="commands",
            key="partition | epoch | dashboard",
            holds="what was applied last, attempts under way, and the head of the audit chain",
            version=2,
            migrations={1: split},
        ),
    ),
    into="CXone's dashboards",
)
