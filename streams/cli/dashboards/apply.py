"""`cxone-streams dashboards apply|adopt|forget`: commands for the stage, and what becomes of them."""

import getpass
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.dashboards.progress import EXPIRED_WORDS, following
from streams.cli.dashboards.sources import Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.records import DashboardApplied, DashboardCommand

CONFLICT, PARTLY = 3, 4
WAIT = 600.0  # seconds

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, when all is known.")]

Actor = Annotated[
    str | None,
    typer.Option(help="Who wants it, for the audit trail; your user name, or `uid` and its number, when left out."),
]
Timeout = Annotated[
    float, typer.Option(min=1, max=86_400, help="Seconds for a worker to take it; later it is never carried out.")
]


@dataclass(frozen=True, slots=True)
class Options:
    """What these commands have in common; `wait` in seconds."""

    actor: str | None
    wait: float
    json: bool


def apply(
    files: Files,
    *,
    create: Annotated[bool, typer.Option("--create", help="Make dashboards that are not there.")] = False,
    actor: Actor = None,
    timeout: Timeout = WAIT,
    json: Json = False,
) -> None:
    """Put files into CXone: merged with what others changed there, through `worker dashboards`.

    Instead of files it takes one PLAN of `plan --out`: then a dashboard that has changed since is left alone.
    A dashboard with a conflict is left alone, too. One bad file among many: nothing is sent.

    Exit code: 0 all is done; 1 all failed, or no worker took it in time; 3 a conflict, or a stale plan; 4 some failed.
    """
    from streams.cli.dashboards.plan import read_plan
    from streams.cli.ending import ended
    from streams.stages.dashboards.command import APPLY

    with ended():
        told = read_plan(files[0]) if len(files) == 1 else None
    if told is not None:
        wanted = [(each["document"], each["etag"]) for each in told if each["action"] in {"update", "create"}]
        _of_a_plan(told, files[0], json=json)
        _carry_out(
            APPLY,
            wanted,
            create=any(each["action"] == "create" for each in told),
            options=Options(actor, timeout, json),
        )
    _carry_out(
        APPLY, [(each, None) for each in _documents(files)], create=create, options=Options(actor, timeout, json)
    )


def adopt(files: Files, *, actor: Actor = None, timeout: Timeout = WAIT, json: Json = False) -> None:
    """Take over dashboards that have no history here. Nothing is sent to CXone.

    What CXone has is the base from then on: where the file differs, `plan` shows it, and `apply` changes it. `get`
    writes a file to begin with.
    """
    from streams.stages.dashboards.command import ADOPT

    _carry_out(ADOPT, [(each, None) for each in _documents(files)], create=False, options=Options(actor, timeout, json))


def forget(
    dashboards: Annotated[list[str], typer.Argument(metavar="ID…", help="CXone's ids of dashboards.")],
    *,
    actor: Actor = None,
    timeout: Timeout = WAIT,
    json: Json = False,
) -> None:
    """Leave dashboards alone from now on: their history here is dropped. CXone keeps them as they are."""
    from streams.stages.dashboards.command import FORGET

    _carry_out(
        FORGET, [({"id": each}, None) for each in dashboards], create=False, options=Options(actor, timeout, json)
    )


def _of_a_plan(told: "list[dict[str, Any]]", path: Path, *, json: bool) -> None:
    """Leave when a plan cannot be carried out, or has nothing to do."""
    if conflicts := [each["id"] for each in told if each["action"] == "conflict"]:
        typer.echo(f"{path} has conflicts, of {', '.join(conflicts)}: nothing is sent.", err=True)
        raise typer.Exit(CONFLICT)
    if strangers := [each["id"] for each in told if each["action"] in {"absent", "stranger"}]:
        typer.echo(f"{path} has dashboards that are not there, or not ours: {', '.join(strangers)}.", err=True)
        raise typer.Exit(1)
    if all(each["action"] == "nothing" for each in told):
        _print_json([], {}, 0) if json else typer.echo("Nothing to do.")
        raise typer.Exit(0)


def _documents(files: list[Path]) -> "list[dict[str, Any]]":
    from streams.cli.dashboards.sources import checked, refuse

    found, problems = checked(files)
    refuse(problems, len(found))
    return [each.document for each in found if each.document is not None]


def _carry_out(
    kind: str, wanted: "Sequence[tuple[dict[str, Any], str | None]]", *, create: bool, options: Options
) -> None:
    """Publish commands and follow them; leaves with the exit code that says what became of them."""
    import asyncio
    import time

    from schemas.records import DashboardCommand
    from streams.cli.ending import ended
    from streams.programs import dashboards
    from streams.stages.dashboards.json_text import dumps

    now = time.time_ns() // 1_000_000
    commands = [
        DashboardCommand(
            command_id=uuid.uuid4().hex,
            dashboard_id=document["id"],
            kind=kind,
            document=dumps(document).decode() if "name" in document else None,
            create=create,
            etag=etag,
            actor=options.actor or user_name(),
            issued_at=now,
            expires_at=now + int(1000 * options.wait),
        )
        for document, etag in wanted
    ]

    async def carry_out() -> "dict[str, DashboardApplied]":
        await dashboards.publish(commands)
        typer.echo(f"{len(commands)} commands are with Kafka; waiting for a worker.", err=True)
        with following(len(commands)) as came:

            def told(applied: "DashboardApplied") -> None:
                if not options.json:
                    _tell(applied)
                came(applied)

            return dict(await dashboards.follow(commands, told, until=now / 1000 + options.wait))

    with ended():
        outcomes = asyncio.run(carry_out())
    code = exit_code(commands, outcomes)
    if options.json:
        _print_json(commands, outcomes, code)
    raise typer.Exit(code)


def user_name(ask: Callable[[], str] = getpass.getuser) -> str:
    """Return who runs this: a user of a container often has a number alone."""
    try:
        return ask()
    except (KeyError, OSError):  # of Python until 3.12, and since
        return f"uid {os.getuid()}"


def _print_json(commands: "Sequence[DashboardCommand]", outcomes: "dict[str, DashboardApplied]", code: int) -> None:
    from streams.cli.dashboards.progress import to_json
    from streams.stages.dashboards.json_text import dumps

    typer.echo(dumps(to_json(commands, outcomes, code)).decode())


def _tell(applied: "DashboardApplied") -> None:
    """Print what became of a command."""
    import json

    from streams.cli.dashboards.plan import paint
    from streams.stages.dashboards.shown import outcome_lines

    paint(list(outcome_lines(applied.dashboard_id, applied.status, applied.words, json.loads(applied.conflicts))))


def exit_code(commands: "Sequence[DashboardCommand]", outcomes: "dict[str, DashboardApplied]") -> int:
    """Return what the command exits with, and tell of what no worker took."""
    for command in commands:
        if command.command_id not in outcomes:
            typer.echo(f"! {command.dashboard_id}: {EXPIRED_WORDS}", err=True)
    statuses = [outcomes[each.command_id].status if each.command_id in outcomes else "expired" for each in commands]
    done = statuses.count("applied")
    if "conflict" in statuses:
        return CONFLICT
    if done == len(statuses):
        return 0
    return PARTLY if done else 1
