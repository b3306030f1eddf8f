"""`cxone-streams dashboards plan|diff|get`: what CXone has, beside our files. Nothing is changed."""

import json as jsonlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.dashboards.sources import Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.stages.dashboards.plan import Found, History, Item

CONFLICT, CHANGES = 3, 2


def plan(
    files: Files,
    *,
    create: Annotated[bool, typer.Option("--create", help="Plan to make dashboards that are not there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the plan, with ETags, to a file for `apply PLAN`.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when there is something to change.")
    ] = False,
) -> None:
    """Show what applying files would change in CXone, against what was applied last.

    What others changed and the files do not touch is shown as drift; it stays, and is no change.

    Exit code: 0 nothing to do, or changes; 1 failed, or a dashboard that is not there or has no history; 3 a conflict;
    with --detailed-exitcode 2 for changes.
    """
    import time

    from streams.cli.ending import ended, writing
    from streams.stages.dashboards.json_text import dumps
    from streams.stages.dashboards.plan import to_json

    with ended():
        items = planned(files, create=create)
    told = dumps(to_json(items, time.time())).decode()
    if out is not None:
        with writing(out):
            out.write_text(told)
    if json:
        typer.echo(told)
    else:
        show(items)
    raise typer.Exit(_status(items, detailed=detailed_exitcode))


@dataclass(frozen=True, slots=True)
class Known:
    """One file, and all that is known of its dashboard."""

    file: str
    document: "dict[str, Any]"
    warnings: list[str]
    history: "History | None"
    found: "Found | None"


def gathered(files: list[Path]) -> list[Known]:
    """Read files, Kafka and CXone. Leaves with 1 when a file is wrong. Raises ConnectorError."""
    import asyncio

    from streams.cli.dashboards.sources import checked, refuse
    from streams.programs import dashboards

    found, problems = checked(files)
    refuse(problems, len(found))
    names = [each.document["id"] for each in found if each.document is not None]

    async def look() -> "dict[str, Found | None]":
        async with dashboards.desk() as desk:
            return await desk.look(names)

    history = dashboards.history(names)
    theirs = asyncio.run(look())
    return [
        Known(
            each.file,
            each.document,
            [f"{warning.path} {warning.words}" for warning in each.warnings],
            history.get(each.document["id"]),
            theirs[each.document["id"]],
        )
        for each in found
        if each.document is not None
    ]


def planned(files: list[Path], *, create: bool) -> "list[Item]":
    """Plan all files. Leaves with 1 when one of them is wrong. Raises ConnectorError."""
    return [plan_known(each, create=create) for each in gathered(files)]


def plan_known(known: Known, *, create: bool) -> "Item":
    """Plan one file. Raises ConnectorError."""
    import time

    from streams.stages.dashboards.plan import plan as plan_one

    with _refusing(f"{known.document['id']}: CXone's document cannot be merged with"):
        return plan_one(
            known.document,
            known.file,
            history=known.history,
            found=known.found,
            now=time.time(),
            create=create,
            warnings=known.warnings,
        )


@contextmanager
def _refusing(refusal: str) -> Iterator[None]:
    """Raise ConnectorError when CXone's document cannot be worked with, whatever it looks like."""
    from connectors.errors import ConnectorError
    from streams.stages.dashboards.json_text import UnreadableError

    try:
        yield
    except UnreadableError as wrong:
        raise ConnectorError(f"{refusal}: {wrong}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as wrong:
        raise ConnectorError(f"{refusal} ({type(wrong).__name__})") from None


def show(items: "Sequence[Item]") -> None:
    """Print plans for a person, in colours where one watches."""
    from streams.stages.dashboards.shown import lines

    for item in items:
        paint(list(lines(item)))


def paint(lines: "Sequence[tuple[str, str]]") -> None:
    """Print lines in their colours; without them where nobody watches."""
    for colour, line in lines:
        style = {"dim": True} if colour == "dim" else {"fg": colour}
        typer.secho(line, **style)


def _status(items: "Sequence[Item]", *, detailed: bool) -> int:
    from streams.stages.dashboards.plan import Action

    actions = {item.action for item in items}
    if Action.CONFLICT in actions:
        return CONFLICT
    if actions & {Action.ABSENT, Action.STRANGER}:
        return 1
    return CHANGES if detailed and actions & {Action.UPDATE, Action.CREATE} else 0


def diff(files: Files) -> None:
    """Show how CXone's dashboards differ from the files, and whose change each difference is.

    `the file`: it was changed since it was applied. `CXone`: somebody changed it there. `both`: both did. Of a
    dashboard without history here nobody knows.
    """
    import time

    from streams.cli.ending import ended
    from streams.stages.dashboards.plan import compared
    from streams.stages.dashboards.shown import difference_lines

    with ended():
        for each in gathered(files):
            name = each.document["id"]
            if each.found is None:
                paint([("red", f"! {name}: CXone has no such dashboard")])
                continue
            with _refusing(f"{name}: CXone's document cannot be compared with"):
                found = compared(each.document, each.history, each.found, time.time())
            paint([("green" if not found else "yellow", f"{name}: {len(found)} differences"), *difference_lines(found)])


def get(
    dashboard: Annotated[str, typer.Argument(help="CXone's id of the dashboard.")],
    *,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Write to this file; it must not be there.")] = None,
) -> None:
    """Write CXone's dashboard as a file. `adopt` then takes it over.

    What files cannot say is left out: it stays in CXone, whatever is applied. Exit code 1 when there is no such
    dashboard.
    """
    import asyncio
    import time

    from streams.cli.ending import ended, writing
    from streams.programs import dashboards
    from streams.stages.dashboards import files
    from streams.stages.dashboards.written import document_of, text

    async def look() -> "Found | None":
        async with dashboards.desk() as desk:
            return (await desk.look([dashboard]))[dashboard]

    with ended():
        found = asyncio.run(look())
    if found is None:
        typer.echo(f"CXone has no dashboard {dashboard}.", err=True)
        raise typer.Exit(1)
    with ended(), _refusing(f"{dashboard}: CXone's document cannot be written as a file"):
        written = text(document_of(found.document, dashboard))
    for problem in files.check(written, str(file or "what CXone has"), time.time()).problems:
        typer.echo(f"{problem} (to be mended before it is applied)", err=True)
    if file is None:
        typer.echo(written, nl=False)
    else:
        with writing(file), file.open("x") as target:
            target.write(written)


def read_plan(path: Path) -> "list[dict[str, Any]] | None":
    """Return the dashboards of a plan's file; None when it is none.

    Raises ConfigurationError when it was altered, or is too old: what would be sent is checked as if it were a file.
    """
    import time

    from connectors.errors import ConfigurationError
    from streams.stages.dashboards.plan import VERSION

    try:
        found = jsonlib.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    if not (isinstance(found, dict) and found.get("version") == VERSION and isinstance(found.get("dashboards"), list)):
        return None
    dashboards: list[dict[str, Any]] = found["dashboards"]
    for each in dashboards:
        try:
            _check_planned(each, time.time())
        except (KeyError, TypeError, ValueError) as wrong:
            name = each.get("id") if isinstance(each, dict) else None
            raise ConfigurationError(f"{path}: {name}: {wrong}: make the plan anew") from None
    return dashboards


def _check_planned(planned: "dict[str, Any]", now: float) -> None:
    from streams.stages.dashboards.command import sound
    from streams.stages.dashboards.plan import Action

    etag, updates = planned["etag"], Action(planned["action"]) is Action.UPDATE
    if not (isinstance(etag, str) if updates else isinstance(etag, str | None)):
        raise ValueError("its ETag is none")
    sound(planned["document"], planned["id"], now)
