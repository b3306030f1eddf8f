"""The tables and views, as other programs see them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import apsw
import pytest

from connectors.sinks.sqlite.migrations import APPLICATION, MIGRATIONS, ForeignFileError, migrate, transaction
from connectors.sinks.sqlite.statements import COLUMNS, KEYS, UPSERTS
from tests.support.minute_rows import alert, minute


@pytest.fixture(name="database")
def _database() -> Iterator[apsw.Connection]:
    database = apsw.Connection(":memory:")
    migrate(database)
    yield database
    database.close()


def store(database: apsw.Connection, table: str, *rows: object) -> None:
    for row in rows:
        database.execute(UPSERTS[table], {**row, "created_at": "2026-11-26T12:00:00Z"})  # type: ignore[dict-item]


def test_a_new_file_says_whose_it_is_and_migrating_it_again_changes_nothing(database: apsw.Connection) -> None:
    before = database.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()

    migrate(database)

    assert database.pragma("user_version") == len(MIGRATIONS)
    assert database.pragma("application_id") == APPLICATION
    assert database.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == before


def test_a_file_of_a_newer_release_stays_as_it_is(database: apsw.Connection) -> None:
    database.pragma("user_version", 99)

    with pytest.raises(ForeignFileError, match="a newer release made it"):
        migrate(database)

    assert database.pragma("user_version") == 99


@pytest.mark.parametrize("table", COLUMNS)
def test_the_columns_that_are_written_are_those_of_the_table(database: apsw.Connection, table: str) -> None:
    columns = {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}

    assert columns == {*COLUMNS[table], "id", "created_at"}
    assert set(KEYS[table]) < columns


def test_running_totals_add_up_per_queue_and_weigh_the_means(database: apsw.Connection) -> None:
    rows = [
        {**minute(1, total=1), "avg_handle_time": 10.0},
        {**minute(2, total=3), "avg_handle_time": 30.0},
        {**minute(3, total=0), "avg_handle_time": 0.0},
        minute(1, total=7, queue="q"),
        minute(0, total=0, queue="empty"),
    ]
    store(database, "metric_snapshots", *rows)

    found = database.execute(
        "SELECT queue, total_interactions, avg_handle_time FROM running_totals ORDER BY queue, window"
    ).fetchall()

    assert found == [("", 1, 10.0), ("", 4, 25.0), ("", 4, 25.0), ("empty", 0, 0.0), ("q", 7, 61.5)]


def test_the_views_of_the_last_hour_and_of_open_alerts(database: apsw.Connection) -> None:
    now = datetime.now(UTC)
    windows = [(now - timedelta(minutes=ago)).strftime("%Y-%m-%dT%H:%M:00Z") for ago in (90, 30)]
    store(database, "metric_snapshots", *({**minute(1), "window": window} for window in windows))
    store(database, "alerts", alert("a"), alert("b", state="resolved"), alert("c", state="retracted"))

    assert database.execute("SELECT window FROM last_hour").fetchall() == [(windows[1],)]
    assert database.execute("SELECT alert_id FROM open_alerts").fetchall() == [("a",)]


def test_a_transaction_that_fails_leaves_nothing(database: apsw.Connection) -> None:
    def fail() -> None:
        with transaction(database):
            store(database, "alerts", alert("a"))
            raise ValueError("of a test")

    with pytest.raises(ValueError, match="of a test"):
        fail()

    assert not database.in_transaction
    assert database.execute("SELECT count(*) FROM alerts").get == 0
