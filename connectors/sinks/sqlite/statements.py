"""What is said to SQLite: one statement per table, with the columns that a row must name."""

POSITIONS = "SELECT topic, partition, next FROM positions"
SET_POSITION = (
    "INSERT INTO positions VALUES (?1, ?2, ?3) ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next"
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "metric_snapshots": (
        "timestamp",
        "total_interactions",
        "avg_handle_time",
        "avg_wait_time",
        "active_agents",
        "window",
        "queue",
        "interactions",
        "revision",
        "final",
        "exact",
        "heard",
    ),
    "alerts": (
        "timestamp",
        "metric",
        "value",
        "threshold",
        "severity",
        "alert_id",
        "rule",
        "queue",
        "state",
        "opened_at",
        "resolved_at",
        "revision",
    ),
}
KEYS: dict[str, tuple[str, ...]] = {"metric_snapshots": ("window", "queue"), "alerts": ("alert_id",)}

# Deleting in slices keeps the lock short. An open alert stays, however old it is.
EXPIRE = (
    """
    DELETE FROM metric_snapshots WHERE id IN (SELECT id FROM metric_snapshots WHERE "window" < :before LIMIT :slice)
    """,
    """
    DELETE FROM alerts WHERE id IN (
        SELECT id FROM alerts WHERE opened_at < :before AND timestamp < :before AND state <> 'open' LIMIT :slice
    )
    """,
)


def _upsert(table: str) -> str:
    columns, key = COLUMNS[table], KEYS[table]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(f":{column}" for column in columns)
    changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column not in key)
    unique = ", ".join(f'"{column}"' for column in key)
    return (
        f"INSERT INTO {table} ({names}, created_at) VALUES ({values}, :created_at) "  # noqa: S608 - our own names
        f"ON CONFLICT ({unique}) DO UPDATE SET {changes} WHERE excluded.revision > {table}.revision"
    )


UPSERTS = {table: _upsert(table) for table in COLUMNS}
