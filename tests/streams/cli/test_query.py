"""`cxone-streams query` as a person meets it, and a program."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors.sinks.sqlite.file import SqliteFile, Values
from connectors.sinks.sqlite.settings import SqliteSettings
from streams.cli import app
from tests.support.minute_rows import alert, minute

Query = Callable[..., Result]


def started(now: datetime, ago: timedelta, **row: object) -> Values:
    begin = (now - ago).replace(second=0)
    return {**minute(0), "window": begin.strftime("%Y-%m-%dT%H:%M:%SZ"), **row}  # type: ignore[dict-item]  # of a test


@pytest.fixture(name="path")
async def _path(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.db"
    file = SqliteFile(SqliteSettings(path=path))
    await file.positions()
    now = datetime.now(UTC)
    minutes = [
        started(now, timedelta(minutes=5), total_interactions=1200, exact=0),
        started(now, timedelta(minutes=2), total_interactions=7, final=0),
        started(now, timedelta(minutes=2), total_interactions=3, queue="s\x1bales"),
        started(now, timedelta(hours=3), total_interactions=77),
    ]
    alerts = [
        alert("a", opened_at="2020-01-01T00:00:00Z"),
        alert("b", state="resolved", opened_at=f"{now:%Y-%m-%dT%H:%M:%SZ}"),
    ]
    await file.write({"metric_snapshots": minutes, "alerts": alerts}, {})
    await file.close()
    return path


@pytest.fixture(name="query")
def _query(path: Path, monkeypatch: pytest.MonkeyPatch) -> Query:
    monkeypatch.setenv("SQLITE_PATH", str(path))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, ["query", *arguments])


def test_minutes_over_all_queues_are_drawn_and_listed(query: Query) -> None:
    lines = query("snapshots").stdout.splitlines()

    assert lines[0] == "      events  █··▁  7 to 1,200"
    assert [line.split()[2:4] for line in lines[6:]] == [["(all)", "1,200"], ["(all)", "7"]]
    assert [line.split()[-2:] for line in lines[6:]] == [["~3", "final"], ["3", "open"]]


@pytest.mark.parametrize(
    ("arguments", "totals"),
    [
        (["--last", "4h"], [77, 1200, 7]),
        (["--last", "4m"], [7]),
        (["--queue", "s\x1bales"], [3]),
        (["--all-queues", "--last", "240m"], [77, 1200, 7, 3]),
        (["--queue", "nobody's"], []),
        (["--last", "999999d"], [77, 1200, 7]),
    ],
)
def test_programs_get_the_rows_that_were_asked_for(query: Query, arguments: list[str], totals: list[int]) -> None:
    found = json.loads(query("snapshots", "--json", *arguments).stdout)["snapshots"]

    assert [row["total_interactions"] for row in found] == totals


def test_what_drives_a_terminal_is_spelt_out(query: Query) -> None:
    assert r"s\x1bales" in query("snapshots", "--queue", "s\x1bales").stdout


def test_open_alerts_are_shown_however_old(query: Query) -> None:
    [row] = json.loads(query("alerts", "--open", "--json").stdout)["alerts"]

    assert (row["alert_id"], row["state"], row["resolved_at"]) == ("a", "open", None)
    assert "01-01 00:00" in query("alerts", "--open").stdout
    assert "251 / 240" in query("alerts", "--open").stdout


def test_alerts_of_the_last_day(query: Query) -> None:
    assert [row["alert_id"] for row in json.loads(query("alerts", "--json").stdout)["alerts"]] == ["b"]


def test_nothing_found_is_said(query: Query) -> None:
    assert "No minute of queue gone in " in query("snapshots", "--queue", "gone").stdout


def test_no_file_is_said_with_what_to_do(query: Query, path: Path) -> None:
    path.unlink()

    result = query("snapshots")

    assert result.exit_code == 1
    assert "has `cxone-streams worker sqlite` run?" in result.stderr
    assert not path.exists()


@pytest.mark.parametrize("text", ["1x", "h", "-1h", "1.5h", "", "9999999d"])
def test_a_length_of_time_that_is_none_is_refused(query: Query, text: str) -> None:
    result = query("snapshots", "--last", text)

    assert result.exit_code == 2
    assert "is no length of time such as 90s, 15m, 1h or 2d" in " ".join(result.stderr.replace("│", "").split())


def test_another_programs_file_is_refused(query: Query, path: Path) -> None:
    path.write_bytes(b"")

    assert "did not make it" in query("alerts").stderr
