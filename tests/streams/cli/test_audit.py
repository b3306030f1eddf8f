"""`cxone-streams audit` on files, as a person uses it."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.cli.audit import app
from streams.cli.audit.show import as_json, when
from streams.core.audit.history import Attempt
from tests.support.audit_trail import PRIVATE, PUBLIC, entries, record, split, trail

WHOLE = trail(entries(6), every=9 * 3_600_000)


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `audit` where the command runs, and its key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_KEY", str(tmp_path / "key.pem"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "key.pem").write_bytes(PRIVATE)
    (tmp_path / "public.pem").write_bytes(PUBLIC)
    folder = tmp_path / "audit"
    folder.mkdir()
    for name, data in WHOLE.items():
        (folder / name).write_bytes(data)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_trail_that_is_as_it_was_written() -> None:
    done = run("verify")

    assert done.exit_code == 0
    assert done.stdout.splitlines()[:2] == ["everything is as it was written", "3 days, 6 records, 9 signed heads"]


def test_an_altered_record_is_named_and_the_command_fails(folder: Path) -> None:
    name = sorted(WHOLE)[1]
    (folder / name).write_bytes(WHOLE[name].replace(b'"ann"', b'"bob"', 1))

    done = run("verify", "--files", folder)
    told = json.loads(run("verify", "--json").stdout)

    assert done.exit_code == 1
    assert done.stdout.startswith(f"altered: {name} line 2")
    assert told["findings"][0]["kind"] == "altered"


def test_lines_and_heads_cut_off_together_are_missed_by_a_head_kept_elsewhere(folder: Path) -> None:
    kept = json.loads(run("verify", "--json").stdout)["head"]
    copy = folder.parent / "kept.jsonl"
    copy.write_bytes(split(WHOLE[sorted(WHOLE)[-2]])[-1])
    for name in sorted(WHOLE)[-2:]:
        (folder / name).unlink()

    assert run("verify").exit_code == 0
    assert run("verify", "--against", kept).exit_code == 1
    assert run("verify", "--against", copy).exit_code == 1
    assert run("verify", "--against", "nonsense").exit_code == 2


def test_the_public_key_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIT_KEY")

    assert run("verify", "--key", "public.pem").exit_code == 0
    none = run("verify")
    assert none.exit_code == 2
    assert "AUDIT_KEY" in none.stderr


def test_a_folder_that_is_not_there_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_DIR", "nowhere")

    done = run("verify")

    assert (done.exit_code, "nowhere" in done.stderr) == (2, True)


def test_a_folder_without_files_proves_nothing(folder: Path) -> None:
    (folder.parent / "empty").mkdir()

    done = run("verify", "--files", folder.parent / "empty")

    assert (done.exit_code, "no day files" in done.stderr) == (2, True)


def test_a_key_is_made_once_for_its_owner_alone(folder: Path) -> None:
    made = run("key", "new.pem")

    path = folder.parent / "new.pem"
    assert made.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert run("key", "new.pem", "--public").stdout == made.stdout
    again = run("key", "new.pem")
    assert (again.exit_code, "not written over" in again.stderr) == (2, True)
    assert "PRIVATE" not in made.stdout + again.stderr


def test_the_history_of_a_dashboard() -> None:
    done = run("show", "d-1")
    lines = [json.loads(line) for line in run("show", "d-1", "--json").stdout.splitlines()]

    assert done.exit_code == 0
    assert done.stdout.count("ann") == 2
    assert [line["intent"]["attempt"] for line in lines] == ["a-1", "a-4"]
    assert run("show", "nobody").exit_code == 1


def test_a_time_beyond_the_calendar_is_shown_as_it_stands() -> None:
    assert [when(ms) for ms in (1, 2**52, -(2**63))] == [
        "1970-01-01 00:00:00.001",
        "4503599627370496 ms",
        "-9223372036854775808 ms",
    ]


def test_what_is_no_number_is_null_to_programs() -> None:
    shown = json.loads(as_json(Attempt(outcome=record(1, latency_ms=float("nan")))))

    assert shown["outcome"]["latency_ms"] is None
