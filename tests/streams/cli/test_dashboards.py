"""`cxone-streams dashboards` as a person meets it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from streams.cli.dashboards import app

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
