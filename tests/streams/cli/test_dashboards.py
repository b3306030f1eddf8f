"""`cxone-streams dashboards` as a person meets it."""

import json
import os
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from connectors.errors import ConnectorError
from schemas.records import DashboardApplied, DashboardCommand
from streams.cli.dashboards import app
from streams.cli.dashboards.apply import exit_code, user_name
from streams.cli.dashboards.plan import Known, plan_known
from streams.cli.dashboards.progress import EXPIRED_WORDS, following, to_json
from streams.stages.dashboards.files import check
from streams.stages.dashboards.json_text import loads
from streams.stages.dashboards.plan import Found, History

GOOD = """\
id: {id}
name: Sales
widgets:
  - {{title: A, type: metric, position: {{x: 0, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
"""


def test_good_files_are_right(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(GOOD.format(id=name))
    (tmp_path / "notes.txt").write_text("no dashboard")

    result = CliRunner().invoke(app, ["validate", str(tmp_path)])

    assert (result.exit_code, result.output) == (0, "2 files are right.\n")


def test_every_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.format(id="a"))
    (tmp_path / "b.yaml").write_text(GOOD.format(id="a").replace("-1d", "-99d"))
    (tmp_path / "c.yml").write_text(GOOD.format(id="a"))
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe\xff")

    result = CliRunner().invoke(app, ["validate", str(tmp_path), str(tmp_path / "none.yaml")])

    assert result.exit_code == 1
    assert sorted(line.removeprefix(f"{tmp_path}/") for line in result.stderr.splitlines()) == [
        "4 problems in 4 files.",
        "b.yaml:4:74: widgets[0].query.range: is 99.0 days long: CXone takes 30",
        f"c.yml:1:1: id: `a` is the id of {tmp_path}/a.yaml, too",
        "d.yaml:1:1: cannot be read: it is no UTF-8",
        "none.yaml:1:1: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize("command", ["validate", "apply"])
def test_a_name_longer_than_a_file_s_is_told_of(command: str) -> None:
    result = CliRunner().invoke(app, [command, "x" * 300])

    assert result.exit_code == 1
    assert "cannot be read: File name too long" in result.stderr


def test_json_is_for_programs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: 7")

    result = CliRunner().invoke(app, ["validate", "--json", str(tmp_path / "a.yaml")])

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["problems"][0] == {
        "file": str(tmp_path / "a.yaml"),
        "line": 1,
        "column": 1,
        "path": "id",
        "words": "should be a valid string (it is 7)",
    }


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(tmp_path)])

    assert result.exit_code == 1
    assert "has no *.yaml" in result.stderr


def test_the_schema_is_printed() -> None:
    result = CliRunner().invoke(app, ["schema"])

    assert json.loads(result.stdout)["title"] == "Dashboard"


def outcome(command: DashboardCommand, status: str) -> DashboardApplied:
    return DashboardApplied(
        dashboard_id=command.dashboard_id,
        command_id=command.command_id,
        actor="kim",
        status=status,
        words="",
        conflicts="[]",
        at=0,
        etag=None,
        document=None,
        payload=None,
        applied_at=None,
    )


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["applied", "applied"], 0),
        (["failed", "refused"], 1),
        (["expired"], 1),
        ([""], 1),
        (["applied", "conflict", "failed"], 3),
        (["applied", "contended"], 4),
        (["applied", ""], 4),
    ],
)
def test_the_exit_code_says_what_became_of_all(statuses: list[str], code: int) -> None:
    command = DashboardCommand("c", "d", "apply", None, create=False, etag=None, actor="kim", issued_at=0, expires_at=0)
    commands = [replace(command, command_id=str(number)) for number in range(len(statuses))]
    outcomes = {
        each.command_id: outcome(each, status) for each, status in zip(commands, statuses, strict=True) if status
    }

    assert exit_code(commands, outcomes) == code


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_a_number(error: type[Exception]) -> None:
    def nameless() -> str:
        raise error("getpwuid(): uid not found")

    assert user_name(nameless) == f"uid {os.getuid()}"


def test_progress_is_a_bar_for_a_person_and_nothing_in_a_pipe() -> None:
    command = DashboardCommand("c", "d", "apply", None, create=False, etag=None, actor="kim", issued_at=0, expires_at=0)
    watched = Console(file=StringIO(), force_terminal=True, width=200)
    piped = Console(file=StringIO())

    for console in (watched, piped):
        with following(3, console) as told:
            told(outcome(command, "applied"))
            told(outcome(command, "conflict"))

    shown = watched.file.getvalue()  # type: ignore[attr-defined]
    assert "2/3" in shown
    assert "1 applied, 1 conflict" in shown
    assert piped.file.getvalue() == ""  # type: ignore[attr-defined]


def test_programs_get_what_became_of_each_command() -> None:
    command = DashboardCommand("c", "d", "apply", None, create=False, etag=None, actor="kim", issued_at=0, expires_at=0)
    applied = replace(outcome(command, "applied"), words="done", etag='"2"', conflicts='[{"path": ["name"]}]')

    assert to_json([command, replace(command, command_id="late")], {"c": applied}, 4) == {
        "exit_code": 4,
        "dashboards": [
            {"id": "d", "command": "c", "status": "applied", "words": "done", "etag": '"2"'}
            | {"conflicts": [{"path": ["name"]}]},
            {"id": "d", "command": "late", "status": "expired", "words": EXPIRED_WORDS, "etag": None, "conflicts": []},
        ],
    }


def planned(action: str) -> dict[str, object]:
    document = check(GOOD.format(id="a"), "a.yaml", time.time()).document
    return {"id": "a", "action": action, "etag": '"1"', "document": document}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "b"}, "b: its document is of another dashboard"),
        ({"document": {"id": "a"}}, "its document is none"),
        ({"action": "delete"}, "'delete' is not a valid Action"),
        ({"etag": None}, "its ETag is none"),
        ({"etag": 7}, "its ETag is none"),
    ],
)
def test_an_altered_plan_is_refused_before_anything_is_sent(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    plan = tmp_path / "plan.json"
    for each in (planned("update") | changes, 7):
        plan.write_text(json.dumps({"version": 1, "dashboards": [each]}))

        result = CliRunner().invoke(app, ["apply", str(plan)])

        assert result.exit_code == 2
        assert (words if each != 7 else "make the plan anew") in result.stderr


def test_a_plan_with_a_conflict_is_not_carried_out(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"version": 1, "dashboards": [planned("conflict")]}))

    result = CliRunner().invoke(app, ["apply", str(plan)])

    assert result.exit_code == 3
    assert "has conflicts, of a: nothing is sent" in result.stderr


def test_a_plan_with_nothing_to_do_sends_nothing(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"version": 1, "dashboards": [planned("nothing")]}))

    result = CliRunner().invoke(app, ["apply", str(plan)])

    assert (result.exit_code, result.output) == (0, "Nothing to do.\n")
    told = CliRunner().invoke(app, ["apply", "--json", str(plan)])
    assert (told.exit_code, json.loads(told.output)) == (0, {"exit_code": 0, "dashboards": []})


def test_one_bad_file_among_good_ones_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.format(id="a"))
    (tmp_path / "b.yaml").write_text("id: 7")

    for command in ("apply", "adopt", "plan", "diff"):
        result = CliRunner().invoke(app, [command, str(tmp_path)])
        assert result.exit_code == 1
        assert "nothing is sent" in result.stderr


def test_a_number_of_cxone_s_beyond_every_float_is_no_crash() -> None:
    document = check(GOOD.format(id="a"), "a.yaml", time.time()).document
    theirs = loads('{"widgets": [{"title": "A", "query": {"limit": 1e400}}]}')
    assert document is not None
    assert isinstance(theirs, dict)
    known = Known("a.yaml", document, [], History(None, {"widgets": {}}), Found(theirs, '"1"'))

    with pytest.raises(ConnectorError, match=r"a: CXone's document cannot be merged with \(ValueError\)"):
        plan_known(known, create=False)
