"""The tables and views, as numbered steps that are never edited: a change is a new step at the end.

`PRAGMA user_version` holds the number of steps that a file has taken.

Times are ISO 8601 text in UTC with a Z. `queue` is '' for the figures over all queues: NULLs would all be different to
the unique key. Durations are in seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

MIGRATIONS = (
    """
    CREATE TABLE metric_snapshots (
        id INTEGER PRIMARY KEY,
        timestamp TEXT NOT NULL,              -- the minute's end
        total_interactions INTEGER NOT NULL,  -- events of the minute
        avg_handle_time REAL NOT NULL,
        avg_wait_time REAL NOT NULL,
        active_agents INTEGER NOT NULL,       -- distinct
        created_at TEXT NOT NULL,             -- when this file first had the row
        "window" TEXT NOT NULL,               -- the minute's start
        queue TEXT NOT NULL,
        interactions INTEGER NOT NULL,        -- distinct
        revision INTEGER NOT NULL,
        final INTEGER NOT NULL CHECK (final IN (0, 1)),
        exact INTEGER NOT NULL CHECK (exact IN (0, 1)),
        heard INTEGER NOT NULL,               -- partitions that had events of the minute
        UNIQUE ("window", queue)
    ) STRICT;

    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        timestamp TEXT NOT NULL,              -- the minute of the newest change
        metric TEXT NOT NULL,
        value REAL NOT NULL,
        threshold REAL NOT NULL,
        severity TEXT NOT NULL,
        created_at TEXT NOT NULL,
        alert_id TEXT NOT NULL UNIQUE,
        rule TEXT NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        resolved_at TEXT,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX alerts_by_opening ON alerts (opened_at);

    CREATE TABLE positions (
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        next INTEGER NOT NULL,                -- the first offset that is not in this file
        PRIMARY KEY (topic, partition)
    ) STRICT, WITHOUT ROWID;

    CREATE VIEW last_hour AS
        SELECT * FROM metric_snapshots
        WHERE "window" >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour');

    CREATE VIEW open_alerts AS SELECT * FROM alerts WHERE state = 'open';

    CREATE VIEW running_totals AS
        SELECT "window", queue,
            sum(total_interactions) OVER so_far AS total_interactions,
            coalesce(sum(avg_handle_time * total_interactions) OVER so_far
                / nullif(sum(total_interactions) OVER so_far, 0), 0.0) AS avg_handle_time,
            coalesce(sum(avg_wait_time * total_interactions) OVER so_far
                / nullif(sum(total_interactions) OVER so_far, 0), 0.0) AS avg_wait_time
        FROM metric_snapshots
        WINDOW so_far AS (PARTITION BY queue ORDER BY "window");
    """,
)

APPLICATION = 0x43584F4E  # "CXON": whose file this is, in its header


class ForeignFileError(Exception):
    """The file is another program's, of a newer release, or where no such file can be."""


@contextmanager
def transaction(database: apsw.Connection) -> Iterator[None]:
    """Hold the right to write from the start on: taken later it could be refused halfway."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def migrate(database: apsw.Connection) -> None:
    """Bring a file up to date; a new one gets everything.

    Raises:
        ForeignFileError: it is of a newer release, or another program's. Nothing was changed.
        apsw.Error: as SQLite says.
    """
    if database.pragma("user_version") == len(MIGRATIONS) and database.pragma("application_id") == APPLICATION:
        return
    with transaction(database):  # the steps that are missing, or none of them
        version = database.pragma("user_version")
        if database.pragma("application_id") != APPLICATION:
            if version or database.execute("SELECT count(*) FROM sqlite_schema").get:
                raise ForeignFileError("it is a database of another program: choose another path")
            database.pragma("application_id", APPLICATION)
        if version > len(MIGRATIONS):
            raise ForeignFileError(f"a newer release made it (version {version}; this one knows {len(MIGRATIONS)})")
        for step in MIGRATIONS[version:]:
            database.execute(step)
        database.pragma("user_version", len(MIGRATIONS))
