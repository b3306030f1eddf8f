"""What CXone calls about."""

import msgspec


class CXoneInteraction(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An interaction as models read it. `timestamp` (ms since the epoch) is when CXone's call arrived at the door.

    The names on the wire are those that readers of this topic have always known.
    """

    interaction_id: str
    channel: str
    timestamp: int
    customer_email: str | None
    agent_id: str | None


class DashboardChange(msgspec.Struct, frozen=True, gc=False):
    """A dashboard was changed. `etag` names its new state; `received_at` (ms) is when CXone's call arrived."""

    dashboard_id: str
    event_type: str
    actor: str | None
    etag: str | None
    received_at: int
