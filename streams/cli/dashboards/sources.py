"""The files that a command of `dashboards` was given."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.stages.dashboards.files import Checked
    from streams.stages.dashboards.yaml_source import Problem

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="YAML files, or folders of them (*.yaml, *.yml, not deeper).")
]
MOST_BYTES = 1_000_000  # of one file: more is no dashboard


def checked(paths: Sequence[Path]) -> "tuple[list[Checked], list[Problem]]":
    """Read and validate all files. Returns them, and everything that is wrong with any of them."""
    from streams.stages.dashboards import files
    from streams.stages.dashboards.yaml_source import Problem

    found: list[Checked] = []
    problems: list[Problem] = []
    for path in _files(paths):
        try:
            with path.open("rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as failure:
            reason = failure.strerror if isinstance(failure, OSError) else "it is no UTF-8"
            problems.append(Problem(str(path), 1, 1, "", f"cannot be read: {reason}"))
            continue
        found.append(files.check(text, str(path), time.time()))
    if not found and not problems:
        problems.append(Problem(str(paths[0]), 1, 1, "", "has no *.yaml and no *.yml"))
    for each in found:
        problems += each.problems
    return found, problems + files.repeated(found)


def refuse(problems: "Sequence[Problem]", files: int) -> None:
    """Print what is wrong and leave: nothing is sent when one file of many is bad."""
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        bad = len({problem.file for problem in problems})
        typer.echo(f"{len(problems)} problems in {bad} of {max(files, bad)} files: nothing is sent.", err=True)
        raise typer.Exit(1)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path]
        try:
            if path.is_dir():
                inside = sorted(each for each in path.iterdir() if each.suffix in {".yaml", ".yml"})
        except OSError:
            pass  # to read it says what is wrong
        found.update(dict.fromkeys(inside))
    return list(found)


def wants_colour() -> bool:
    """Whether a person watches."""
    return sys.stdout.isatty()
