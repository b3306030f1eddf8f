"""Rows as the sink is given them, and what a file holds."""

from pathlib import Path
from typing import Any

import apsw

from connectors.sinks.sqlite.file import Values

TOPIC = "cxone.metrics.snapshots"


def minute(number: int, *, revision: int = 1, queue: str = "", total: int = 5) -> Values:
    """Return a row of the minute `number` after midnight, at most a day's."""
    hour, of_hour = divmod(number, 60)
    return {
        "timestamp": f"2026-11-26T{hour:02}:{of_hour:02}:60Z",
        "total_interactions": total,
        "avg_handle_time": 61.5,
        "avg_wait_time": 4.25,
        "active_agents": 3,
        "window": f"2026-11-26T{hour:02}:{of_hour:02}:00Z",
        "queue": queue,
        "interactions": min(total, 4),
        "revision": revision,
        "final": 1,
        "exact": 1,
        "heard": 12,
    }


def alert(alert_id: str, *, revision: int = 1, state: str = "open", opened_at: str = "2026-11-26T10:00:00Z") -> Values:
    return {
        "timestamp": opened_at,
        "metric": "avg_handle_time",
        "value": 251.0,
        "threshold": 240.0,
        "severity": "warning",
        "alert_id": alert_id,
        "rule": "long handling",
        "queue": "",
        "state": state,
        "opened_at": opened_at,
        "resolved_at": None if state == "open" else "2026-11-26T10:30:00Z",
        "revision": revision,
    }


def ask(path: Path, statement: str, *bindings: Any) -> list[Any]:
    """Ask a file what it holds, as another program does; single columns without their tuples."""
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = database.execute(statement, bindings).fetchall()
    finally:
        database.close()
    return [row[0] if len(row) == 1 else row for row in rows]
