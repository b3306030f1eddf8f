"""`cxone-streams dlq list|show|replay|discard`: what was refused, and what becomes of it."""

import inspect
import json as jsonlib
import sys
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.core.dead_letters.letter import Choice
    from streams.programs.dead_letters import Box, Settle

app = typer.Typer(no_args_is_help=True)

Stage = Annotated[str | None, typer.Option(help="Only what this stage refused (`connect …` for a connector).")]
Reason = Annotated[str | None, typer.Option(help="Only what was refused for this reason.")]
Since = Annotated[str | None, typer.Option(help="Only what was refused since: an age (10m, 2h, 1d) or a time.")]
Until = Annotated[str | None, typer.Option(help="Only what was refused before: an age or a time.")]
Key = Annotated[str | None, typer.Option(help="Only records with this key.")]
Parked = Annotated[bool, typer.Option("--parked", help="Only what is parked: it came back three times.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Rate = Annotated[float, typer.Option(min=0.1, help="Dead letters a second, at most.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _choice(
    *, stage: Stage = None, reason: Reason = None, since: Since = None, until: Until = None, key: Key = None
) -> "Choice":
    from streams.cli.ending import ended
    from streams.core.dead_letters.letter import Choice

    with ended():
        return Choice(stage=stage, reason=reason, since=_moment(since), until=_moment(until), key=key)


def _moment(text: str | None) -> int | None:
    """Read a time (ms since the epoch). Raises ConfigurationError."""
    import time

    from connectors.errors import ConfigurationError
    from connectors.kafka.topic_reader import start

    if text is None:
        return None
    at = start(text, now=time.time()).time
    if at is None:
        raise ConfigurationError(f"{text!r} is no time: an age such as 10m, 2h or 1d, or a time: 2026-01-30T12:00:00Z")
    return at


def choosing(command: "Callable[..., None]") -> "Callable[..., None]":
    """Give a command the options of a choice before its own; it is called with the choice."""
    options = inspect.signature(_choice).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    def run(**given: Any) -> None:
        choice = _choice(**{name: given.pop(name) for name in options})
        command(choice, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature([*options.values(), *own])  # type: ignore[attr-defined]  # typer reads it
    return run


@app.callback()
def dlq() -> None:
    """Look at the dead letters, send them again once their fault is mended, or put them away.

    What was replayed or discarded is remembered on cxone.dead-letters.settled, and not offered again.
    """


@app.command(name="list")
@choosing
def list_(choice: "Choice", *, parked: Parked = False, json: Json = False) -> None:
    """Count what is neither replayed nor discarded, by stage and reason."""
    from dataclasses import asdict

    from streams.cli.ending import ended
    from streams.cli.records import time_text
    from streams.core.dead_letters.letter import groups
    from streams.programs.dead_letters import box

    with ended(), box() as opened:
        ledger = opened.ledger()
        letters = opened.open(choice, ledger, parked=parked or None)
        found = groups((each, ledger.is_parked(each)) for each in letters)
    if json:
        shown = [{**asdict(each), "first": time_text(each.first), "last": time_text(each.last)} for each in found]
        typer.echo(jsonlib.dumps(shown))
        return
    if not found:
        typer.echo("No dead letter is open.")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from streams.cli.records import escaped

    table = Table(box=None, header_style="bold")
    table.add_column("stage", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for name in ("count", "parked"):
        table.add_column(name, justify="right")
    for name in ("first (UTC)", "last"):
        table.add_column(name, no_wrap=True)
    for each in found:
        times = (time_text(at)[:19].replace("T", " ") for at in (each.first, each.last))
        names = (Text(escaped(name)) for name in (each.stage or "?", each.reason or "?"))
        table.add_row(*names, f"{each.count:,}", f"{each.parked:,}" if each.parked else "", *times)
    Console().print(table)


@app.command()
@choosing
def show(
    choice: "Choice",
    *,
    parked: Parked = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 10,
    json: Json = False,
) -> None:
    """Print open dead letters: why, where from, and what is in them.

    Avro and JSON are decoded; of other bytes, what could drive a terminal is written as an escape. With --json each is
    a line: the record as `topics read --json` prints it, with `dead` saying what its headers say.
    """
    from connectors.kafka.schema_ids import schema_ids
    from connectors.settings import RegistrySettings, load
    from schemas.avro import Codec
    from streams.cli.ending import ended
    from streams.cli.records import as_json, as_line, escaped
    from streams.programs.dead_letters import box

    with ended(), box() as opened:
        decode = Codec(schema_ids(load(RegistrySettings))).reader()
        letters = opened.open(choice, opened.ledger(), parked=parked or None)
        found = opened.fetch(each.at for each in letters[:limit])
    for each in letters[:limit]:
        if each.at not in found:
            continue  # deleted since
        if json:
            dead = {"stage": each.stage, "reason": each.reason, "detail": each.detail, "source": each.source}
            typer.echo(jsonlib.dumps({**jsonlib.loads(as_json(found[each.at], decode)), "dead": dead}))
            continue
        typer.echo(escaped(f"{each.stage or '?'}: {each.reason or '?'}: {each.detail}"))
        typer.echo(escaped(f"  from {each.source or 'nobody knows where'}"))
        typer.echo(f"  {as_line(found[each.at], decode)}")
    if len(letters) > limit and not json:
        typer.echo(f"{len(letters) - limit:,} more: --limit {len(letters)}", err=True)


@app.command()
@choosing
def replay(  # noqa: PLR0913 - options of a command
    choice: "Choice",
    *,
    parked: Parked = False,
    rate: Rate = 100.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Send the frames behind dead letters into their raw topics again, each for the stage that refused it.

    Mend the fault first. What comes back a third time is parked: only --parked sends it again. A run that was stopped
    goes on where it was. Exit status 1 when some have no frame to send: what a connector refused, and what stages made.
    """
    how = How(rate, dry_run=dry_run, yes=yes, json=json)
    _settle("replay", choice, lambda opened: opened.replaying(parked_too=parked), how, parked=parked)


@app.command()
@choosing
def discard(  # noqa: PLR0913 - options of a command
    choice: "Choice",
    *,
    parked: Parked = False,
    rate: Rate = 10_000.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put dead letters away: they are not offered again. Their bytes stay on the topic for as long as it keeps them."""
    from streams.programs import dead_letters

    how = How(rate, dry_run=dry_run, yes=yes, json=json)
    _settle("discard", choice, lambda _: dead_letters.discard, how, parked=parked or None)


@dataclass(frozen=True, slots=True)
class How:
    """How dead letters are decided about."""

    rate: float
    _: KW_ONLY
    dry_run: bool
    yes: bool
    json: bool


def _settle(verb: str, choice: "Choice", settling: "Callable[[Box], Settle]", how: How, *, parked: bool | None) -> None:
    """Decide about dead letters; leaves with status 1 when some could not be."""
    import asyncio

    from streams.cli.ending import ended
    from streams.core.dead_letters.settled import Decision
    from streams.core.dead_letters.way_back import SETTLED
    from streams.programs.dead_letters import box

    with ended(), box() as opened:
        if how.dry_run:
            became = opened.preview(choice, settling(opened), parked=parked)
        else:
            number = len(opened.open(choice, opened.ledger(), parked=parked))
            if number and not how.yes:
                _ask(f"{verb.capitalize()} {number:,} dead letters?")
            with _progress(verb, number) as told:
                became = asyncio.run(opened.settle(choice, settling(opened), parked=parked, rate=how.rate, told=told))
    if how.json:
        typer.echo(jsonlib.dumps({"dry_run": how.dry_run, "became": dict(became)}))
    else:
        for what, number in became.most_common():
            typer.echo(f"{number:>9,}  {'would be ' if how.dry_run and what in SETTLED else ''}{what}")
        if not became:
            typer.echo(f"No dead letter to {verb}.")
    if became.keys() - {*SETTLED, Decision.DISCARDED}:
        raise typer.Exit(1)


def _ask(question: str) -> None:
    """Ask a person; leave when there is none, or the answer is no."""
    if not sys.stdin.isatty():
        typer.echo(f"{question} Nobody can be asked here: add --yes, or --dry-run to see what would be done.", err=True)
        raise typer.Exit(2)
    typer.confirm(question, abort=True, err=True)


@contextmanager
def _progress(verb: str, number: int) -> "Iterator[Callable[[int], None]]":
    """Show on a terminal how far it is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(verb, total=number)
        yield lambda done: progress.advance(task, done)
