"""`cxone-streams dashboards validate|schema`: needs neither Kafka nor CXone."""

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer

from streams.cli.dashboards.sources import Files


def validate(
    files: Files, *, json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Check files: all that is wrong at once, each with file, line, column and path.

    Exit code 0 when all are right, 1 otherwise. Warnings, such as a table that pulls raw rows, are no errors.
    """
    from streams.cli.dashboards.sources import checked

    found, problems = checked(files)
    warnings = [warning for each in found for warning in each.warnings]
    if json:
        report = {"files": len(found), "problems": list(map(asdict, problems)), "warnings": list(map(asdict, warnings))}
        typer.echo(jsonlib.dumps(report, ensure_ascii=False, indent=2))
        raise typer.Exit(1 if problems else 0)
    for problem in problems:
        typer.echo(str(problem), err=True)
    for warning in warnings:
        typer.echo(f"{warning} (warning)", err=True)
    bad = len({problem.file for problem in problems})
    if problems:
        typer.echo(f"{len(problems)} problems in {bad} files.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{len(found)} files are right.")


def schema() -> None:
    """Print the JSON Schema of the files, for editors. It is checked in as docs/dashboard.schema.json."""
    from streams.stages.dashboards.model import json_schema

    typer.echo(jsonlib.dumps(json_schema(), indent=2))
