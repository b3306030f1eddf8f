"""What the SQLite file says, for whoever asks; never writes to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from connectors.errors import Misconfigured
from connectors.sinks.sqlite.failures import FAILURES, explained
from connectors.sinks.sqlite.migrations import APPLICATION, MIGRATIONS, ForeignFileError

LONGEST_WAIT = 5000  # ms for the lock that a file is opened under

_MINUTES = """
    SELECT "window", queue, total_interactions, interactions, avg_handle_time, avg_wait_time, active_agents,
        revision, final, exact
    FROM metric_snapshots WHERE "window" >= ?1 AND (?2 IS NULL OR queue = ?2) ORDER BY "window", queue LIMIT ?3
"""
_ALERTS = """
    SELECT alert_id, rule, metric, queue, state, severity, value, threshold, opened_at, resolved_at, timestamp
    FROM alerts WHERE (NOT ?1 OR state = 'open') AND timestamp >= ?2 ORDER BY opened_at, alert_id LIMIT ?3
"""


@dataclass(frozen=True, slots=True)
class Minute:
    """A row of `metric_snapshots`. Times are ISO 8601 text, durations in seconds, `queue` '' over all."""

    window: str
    queue: str
    total_interactions: int
    interactions: int
    avg_handle_time: float
    avg_wait_time: float
    active_agents: int
    revision: int
    final: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of `alerts`. Times are ISO 8601 text; `updated` is the minute of its newest change."""

    alert_id: str
    rule: str
    metric: str
    queue: str
    state: str
    severity: str
    value: float
    threshold: float
    opened_at: str
    resolved_at: str | None
    updated: str


def minutes(path: Path, since: str, queue: str | None, *, limit: int = 1_000_000) -> list[Minute]:
    """Return the minutes that began at `since` (ISO 8601 with Z) or later, of one queue or of all, oldest first.

    Raises Misconfigured when there is no such file, or it is none of ours; Unavailable when it cannot be read now.
    """
    rows = _read(path, _MINUTES, since, queue, limit)
    return [Minute(*(*row[:-2], *map(bool, row[-2:]))) for row in rows]


def alerts(path: Path, since: str = "", *, only_open: bool, limit: int = 1_000_000) -> list[Alert]:
    """Return the alerts that changed at `since` or later, oldest first. Raises as `minutes`."""
    return [Alert(*row) for row in _read(path, _ALERTS, only_open, since, limit)]


def _read(path: Path, statement: str, *bindings: str | int | None) -> list[tuple[Any, ...]]:
    if not path.exists():
        raise Misconfigured(f"there is no file {path}: has `cxone-streams worker sqlite` run? (SQLITE_PATH names it)")
    try:
        database = apsw.Connection(
            f"file:{quote(str(path.absolute()))}?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        try:
            database.set_busy_timeout(LONGEST_WAIT)
            _check(database)
            return database.execute(statement, bindings).fetchall()
        finally:
            database.close()
    except FAILURES as failure:
        raise explained(failure, path.name) from failure


def _check(database: apsw.Connection) -> None:
    version = database.pragma("user_version")
    if database.pragma("application_id") != APPLICATION:
        raise ForeignFileError("`cxone-streams worker sqlite` did not make it")
    if version != len(MIGRATIONS):
        raise ForeignFileError(f"its version is {version}; this release reads {len(MIGRATIONS)}")
