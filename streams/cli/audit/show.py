"""`cxone-streams audit show`: the history of a dashboard."""

import json as jsonlib
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.core.audit.history import Attempt


def show(
    dashboard: Annotated[str, typer.Argument(help="Id of the dashboard.")],
    *,
    files: Annotated[
        Path | None, typer.Option(help="Folder of the day files; AUDIT_DIR without it.", metavar="DIR")
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="Read the topic on Kafka instead of files.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs: one line for each attempt.")] = False,
) -> None:
    """Show who tried to write a dashboard, when, and what became of it.

    It does not verify: `audit verify` does. Exit status 1 when there is no record of the dashboard.
    """
    from streams.cli.audit import reading
    from streams.cli.ending import ended
    from streams.core.audit.history import history

    with ended():
        if topic:
            records, _ = reading.topic()
            attempts = history((entry for *_, entry in records if entry is not None), dashboard)
        else:
            attempts = history(reading.entries(reading.folder_of(files)), dashboard)
    if not attempts:
        typer.echo(f"there is no record of {dashboard}", err=True)
        raise typer.Exit(1)
    if json:
        for attempt in attempts:
            typer.echo(as_json(attempt))
        return

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("when (UTC)", "who", "what", "became", "took", "ETag before", "after", "why")
    for attempt in attempts:
        first, last = attempt.first, attempt.last
        latency = (attempt.outcome or last).latency_ms
        cells = (
            when(first.timestamp),
            first.actor,
            first.action,
            attempt.status,
            f"{latency:.0f} ms" if latency is not None else "",
            first.etag_before or "",
            last.etag_after or "",
            last.error or "",
        )
        table.add_row(*map(Text, cells), style="" if attempt.status == "applied" else "yellow")
    Console().print(table)


def as_json(attempt: "Attempt") -> str:
    """Return an attempt as one line of JSON, which knows no NaN and no infinity: they are null."""
    return jsonlib.dumps({"status": attempt.status, **asdict(attempt, dict_factory=_finite)}, allow_nan=False)


def _finite(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in items}


def when(milliseconds: int) -> str:
    """Return a time of a record for people: in UTC, or as it stands there when no calendar has it."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(" ", "milliseconds").split("+")[0]
    except (OSError, OverflowError, ValueError):
        return f"{milliseconds} ms"
