"""The file as its writer and its readers see it: real files, no Kafka."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import Misconfigured, Unavailable
from connectors.sinks.sqlite.failures import FileChangedError
from connectors.sinks.sqlite.file import Refusal, SqliteFile
from connectors.sinks.sqlite.settings import SqliteSettings
from connectors.sinks.sqlite.statements import COLUMNS
from tests.support.minute_rows import TOPIC, alert, ask, minute

NOON = 1_795_694_400.0  # 2026-11-26T12:00:00Z


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.db"


@pytest.fixture(name="file")
async def _file(path: Path) -> AsyncIterator[SqliteFile]:
    file = SqliteFile(SqliteSettings(path=path, lock_timeout=0.05, wal_limit_mb=1), now=lambda: NOON)
    yield file
    await file.close()


async def test_a_new_file_has_read_nothing(file: SqliteFile, path: Path) -> None:
    assert await file.positions() == {}
    assert ask(path, "PRAGMA user_version") == [1]
    assert ask(path, "PRAGMA journal_mode") == ["wal"]


async def test_rows_and_positions_are_stored_together(file: SqliteFile, path: Path) -> None:
    await file.positions()

    await file.write({"metric_snapshots": [minute(1)], "alerts": [alert("a")]}, {(TOPIC, 0): 17})

    assert ask(path, 'SELECT "window", queue, total_interactions, final, created_at FROM metric_snapshots') == [
        ("2026-11-26T00:01:00Z", "", 5, 1, "2026-11-26T12:00:00Z")
    ]
    assert ask(path, "SELECT alert_id, state, resolved_at FROM alerts") == [("a", "open", None)]
    assert await file.positions() == {(TOPIC, 0): 17}


async def test_who_asks_while_it_closes_or_later_is_told_so_and_lets_go_of_nothing(path: Path) -> None:
    file = SqliteFile(SqliteSettings(path=path))
    await file.positions()

    closing = asyncio.create_task(file.close())
    await asyncio.sleep(0)
    for _ in range(2):
        await file.release()
        for asking in (file.tend(), file.positions(), file.write({}, {})):
            with pytest.raises(Unavailable, match="closed"):
                await asking
        await closing


@pytest.mark.parametrize(("revision", "stored"), [(1, 5), (2, 5), (3, 9)])
async def test_only_a_higher_revision_replaces_a_row(file: SqliteFile, path: Path, revision: int, stored: int) -> None:
    await file.positions()
    await file.write({"metric_snapshots": [minute(1, revision=2)]}, {(TOPIC, 0): 1})

    await file.write({"metric_snapshots": [minute(1, revision=revision, total=9)]}, {(TOPIC, 0): 2})

    assert ask(path, "SELECT total_interactions FROM metric_snapshots") == [stored]


@pytest.mark.parametrize("queue", ["", "sales", "a|b", 'Zoë\'s "queue"', "nul\0inside", "%_\\", "'; DROP TABLE alerts"])
async def test_a_queue_may_hold_any_character(file: SqliteFile, path: Path, queue: str) -> None:
    await file.positions()
    for revision in (1, 2):
        await file.write({"metric_snapshots": [minute(1, queue=queue, revision=revision)]}, {})

    assert ask(path, "SELECT queue FROM metric_snapshots WHERE queue = ?", queue) == [queue]


async def test_a_row_that_fits_no_table_is_named_and_the_others_are_stored(file: SqliteFile, path: Path) -> None:
    await file.positions()
    rows = [minute(1), {**minute(2), "revision": None}, {**minute(3), "avg_wait_time": "long"}, minute(4)]

    refused = await file.write({"metric_snapshots": rows}, {(TOPIC, 0): 4})

    assert refused == [
        Refusal("metric_snapshots", 1, "NOT NULL constraint failed: metric_snapshots.revision"),
        Refusal("metric_snapshots", 2, "cannot store TEXT value in REAL column metric_snapshots.avg_wait_time"),
    ]
    assert len(ask(path, "SELECT id FROM metric_snapshots")) == 2
    assert await file.positions() == {(TOPIC, 0): 4}


async def test_another_programs_lock_is_waited_for_and_then_told(file: SqliteFile, path: Path) -> None:
    await file.positions()
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match=r"metrics\.db is locked by another program \(database is locked"):
        await file.write({"alerts": [alert("a")]}, {(TOPIC, 0): 1})
    other.execute("ROLLBACK")
    other.close()

    assert await file.write({"alerts": [alert("a")]}, {(TOPIC, 0): 1}) == []
    assert ask(path, "SELECT alert_id FROM alerts") == ["a"]


@pytest.mark.parametrize("gone", ["metrics.db", "metrics.db-wal"])
async def test_a_file_that_is_removed_while_it_is_open_is_noticed_and_begun_anew(
    file: SqliteFile, path: Path, gone: str
) -> None:
    await file.positions()
    await file.write({"alerts": [alert("a")]}, {(TOPIC, 0): 1})
    path.with_name(gone).unlink()

    with pytest.raises(FileChangedError, match="removed or replaced"):
        await file.write({"alerts": [alert("b")]}, {(TOPIC, 0): 2})

    lost = gone == path.name
    assert await file.positions() == ({} if lost else {(TOPIC, 0): 1})
    assert ask(path, "SELECT alert_id FROM alerts") == ([] if lost else ["a"])
    assert await file.write({"alerts": [alert("b")]}, {(TOPIC, 0): 2}) == []


async def test_an_older_copy_in_its_place_is_read_on_from_where_that_was(file: SqliteFile, path: Path) -> None:
    await file.positions()
    await file.write({"alerts": [alert("a")]}, {(TOPIC, 0): 1})
    copy = path.with_name("copy.db")
    database = apsw.Connection(str(path))
    database.execute("VACUUM INTO ?", (str(copy),))
    database.close()
    await file.write({"alerts": [alert("b")]}, {(TOPIC, 0): 2})
    copy.replace(path)

    with pytest.raises(FileChangedError):
        await file.write({"alerts": [alert("c")]}, {(TOPIC, 0): 3})

    assert await file.positions() == {(TOPIC, 0): 1}
    assert ask(path, "SELECT alert_id FROM alerts") == ["a"]


async def test_another_writers_progress_is_not_gone_over(file: SqliteFile, path: Path) -> None:
    await file.positions()
    other = apsw.Connection(str(path))
    other.execute("INSERT INTO positions VALUES (?, 0, 7)", (TOPIC,))
    other.close()

    with pytest.raises(FileChangedError, match="not as it was left"):
        await file.write({"alerts": [alert("a")]}, {(TOPIC, 0): 1})

    assert ask(path, "SELECT alert_id FROM alerts") == []
    assert await file.positions() == {(TOPIC, 0): 7}


async def test_a_second_writer_is_told_who_has_the_file_and_gets_it_when_that_lets_go(
    file: SqliteFile, path: Path
) -> None:
    second = SqliteFile(SqliteSettings(path=path))
    await file.positions()

    with pytest.raises(Unavailable, match=r"has another writer \(process \d+ writes this file\)"):
        await second.positions()
    await file.release()

    assert await second.positions() == {}
    with pytest.raises(FileChangedError, match="was let go of"):
        await file.write({}, {})
    await second.close()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    file = SqliteFile(SqliteSettings(path=tmp_path / "nowhere" / "metrics.db"))

    with pytest.raises(Misconfigured, match=r"metrics\.db has no folder"):
        await file.positions()
    await file.close()


async def test_what_is_no_database_stays_as_it_is(file: SqliteFile, path: Path) -> None:
    words = b"minutes of the last meeting\n" * 100
    await asyncio.to_thread(path.write_bytes, words)

    with pytest.raises(Misconfigured, match="is no SQLite database: move it away"):
        await file.positions()

    assert await asyncio.to_thread(path.read_bytes) == words


@pytest.mark.parametrize(
    ("made_by", "complaint"),
    [
        ("CREATE TABLE metric_snapshots (id)", "a database of another program"),
        ("PRAGMA user_version = 3", "a database of another program"),
        ("PRAGMA application_id = 0x43584F4E; PRAGMA user_version = 99", "a newer release made it"),
    ],
)
async def test_a_database_that_is_not_ours_is_refused(
    file: SqliteFile, path: Path, made_by: str, complaint: str
) -> None:
    other = apsw.Connection(str(path))
    other.execute(made_by)
    other.close()

    with pytest.raises(Misconfigured, match=complaint):
        await file.positions()


async def test_a_damaged_file_is_named(file: SqliteFile, path: Path) -> None:
    await file.positions()
    await file.write({"metric_snapshots": [minute(n) for n in range(500)]}, {(TOPIC, 0): 500})
    await file.release()
    _damage(path)

    with pytest.raises(Misconfigured, match="is damaged"):
        await file.positions()


def _damage(path: Path) -> None:
    with path.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * (path.stat().st_size - 4096))


async def test_what_is_too_old_is_deleted_but_no_open_alert(path: Path) -> None:
    now = NOON
    file = SqliteFile(SqliteSettings(path=path, retention_days=1), now=lambda: now)
    await file.positions()
    alerts = [alert("old"), alert("closed", state="resolved"), alert("new", opened_at="2026-11-27T12:01:00Z")]
    minutes = [minute(n % 1440, queue=str(n)) for n in range(3 * 1440)]
    await file.write({"metric_snapshots": minutes, "alerts": alerts}, {(TOPIC, 0): 1})

    now += 86_400
    assert await file.tend() is None

    assert ask(path, 'SELECT min("window"), count(*) FROM metric_snapshots') == [("2026-11-26T12:00:00Z", 3 * 720)]
    assert ask(path, "SELECT alert_id FROM alerts ORDER BY alert_id") == ["new", "old"]
    for seconds, left in ((59, 3 * 720), (1, 3 * 719)):  # once a minute
        now += seconds
        await file.tend()
        assert ask(path, "SELECT count(*) FROM metric_snapshots") == [left]
    await file.close()


async def test_a_log_that_a_reader_keeps_growing_is_told(file: SqliteFile, path: Path) -> None:
    await file.positions()
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT count(*) FROM alerts").fetchall()
    for revision in range(1, 8):
        await file.write({"metric_snapshots": [minute(n, revision=revision) for n in range(1440)]}, {})

    assert "end it" in (await file.tend() or "")

    reader.close()
    await file.write({"metric_snapshots": [minute(1, revision=9)]}, {})  # the log is copied back
    await file.write({"metric_snapshots": [minute(1, revision=10)]}, {})  # and starts anew
    assert await file.tend() is None
    assert ask(path, "SELECT max(revision) FROM metric_snapshots") == [10]


def test_every_column_of_the_tables_is_written(path: Path) -> None:
    assert set(minute(1)) == set(COLUMNS["metric_snapshots"])
    assert set(alert("a")) == set(COLUMNS["alerts"])


revisions = st.tuples(st.sampled_from(["", "q"]), st.integers(0, 2), st.integers(1, 9), st.integers(0, 1000))


@given(rows=st.lists(revisions, max_size=30), split=st.integers(0, 30), again=st.integers(0, 30))
@settings(max_examples=25)
async def test_law_a_row_is_the_first_of_its_highest_revision_however_often_it_comes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int, int]], split: int, again: int
) -> None:
    path = tmp_path_factory.mktemp("law") / "metrics.db"
    file = SqliteFile(SqliteSettings(path=path))
    await file.positions()
    values = [minute(number, queue=queue, revision=revision, total=total) for queue, number, revision, total in rows]
    for part in (values[:split], values[:again], values[split:], values):
        await file.write({"metric_snapshots": part}, {(TOPIC, 0): len(part)})
    await file.close()

    expected: dict[tuple[str, int], tuple[int, int]] = {}
    for queue, number, revision, total in [*rows[:split], *rows[:again], *rows[split:], *rows]:
        if revision > expected.get((queue, number), (0, 0))[0]:
            expected[queue, number] = revision, total
    found = ask(path, 'SELECT queue, "window", revision, total_interactions FROM metric_snapshots')
    assert sorted(found) == sorted(
        (queue, f"2026-11-26T00:{number:02}:00Z", revision, total)
        for (queue, number), (revision, total) in expected.items()
    )
