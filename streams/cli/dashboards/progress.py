"""How a command follows what becomes of its commands: a bar where a person watches, plain lines in a pipe."""

import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from schemas.records import DashboardApplied, DashboardCommand

EXPIRED_WORDS = "no worker took it in time, and none will: is `worker dashboards` running?"


@contextmanager
def following(number: int, console: "Console | None" = None) -> "Iterator[Callable[[DashboardApplied], None]]":
    """Give what has to be told of each outcome; while the context lasts a bar stands below what is printed.

    The bar is on the standard error; without a terminal there (`console` stands for it) there is none.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = console or Console(stderr=True)
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    counts = Counter[str]()
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # else what is printed into a file would come to the terminal
    ) as progress:
        task = progress.add_task(summary(counts), total=number)

        def told(applied: "DashboardApplied") -> None:
            counts[applied.status] += 1
            progress.update(task, advance=1, description=summary(counts))

        yield told


def summary(counts: Counter[str]) -> str:
    """Return what became of commands until now, in a few words."""
    return ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "waiting for a worker"


def to_json(
    commands: "Sequence[DashboardCommand]", outcomes: "dict[str, DashboardApplied]", code: int
) -> dict[str, Any]:
    """Return what became of commands, for programs."""
    from streams.stages.dashboards.json_text import loads

    found: list[dict[str, Any]] = []
    for command in commands:
        applied = outcomes.get(command.command_id)
        known = {"id": command.dashboard_id, "command": command.command_id}
        if applied is None:
            found.append({**known, "status": "expired", "words": EXPIRED_WORDS, "etag": None, "conflicts": []})
        else:
            told = {"status": applied.status, "words": applied.words, "etag": applied.etag}
            found.append({**known, **told, "conflicts": loads(applied.conflicts)})
    return {"exit_code": code, "dashboards": found}
