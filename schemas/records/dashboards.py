"""What travels between `cxone-streams dashboards` and the stage that puts dashboards into CXone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DashboardCommand:
    """What somebody wants done with one dashboard.

    Attributes:
        command_id: of this command alone.
        kind: apply, adopt (take over a dashboard without history) or forget.
        document: of the file with defaults filled in, as JSON; None to forget.
        create: make the dashboard if CXone has none of this id.
        etag: refuse when CXone's document has another; None takes whatever it is.
        actor: who wants it.
        issued_at: milliseconds since the epoch; relative ranges count from here.
        expires_at: from then on it is not carried out.
    """

    command_id: str
    dashboard_id: str
    kind: str
    document: str | None
    create: bool
    etag: str | None
    actor: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class DashboardApplied:
    """What became of the newest command for a dashboard, and what was applied last: the base of the next merge.

    Attributes:
        command_id, actor: of the command.
        status: applied, conflict, contended, refused, failed or expired.
        words: what happened, for people.
        conflicts: JSON list of {path, base, ours, theirs, ours_by, theirs_by}; what is not there is left out.
        at: milliseconds since the epoch.
        etag: CXone's, of what was read or written last.
        document: the file's document that was applied last, as JSON; None when it was adopted, or never applied.
        payload: what was made of it, widgets by key, as JSON; None when the dashboard has no history here.
        applied_at: when that was; milliseconds since the epoch.
    """

    dashboard_id: str
    command_id: str
    actor: str
    status: str
    words: str
    conflicts: str
    at: int
    etag: str | None
    document: str | None
    payload: str | None
    applied_at: int | None
