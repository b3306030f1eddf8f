"""`cxone-streams query snapshots|alerts`: what the SQLite file says."""

import json as jsonlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.sinks.sqlite.history import Alert, Minute

app = typer.Typer(help="Ask the SQLite file of SQLITE_PATH for minutes and alerts.", no_args_is_help=True)

MINUTE = timedelta(minutes=1)
CENTURY = timedelta(days=36_500)  # a calendar begins somewhere
SPARKLINE = 60  # characters
_SPAN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_METRICS: "dict[str, Callable[[Minute], float]]" = {
    "events": lambda minute: minute.total_interactions,
    "interactions": lambda minute: minute.interactions,
    "handle s": lambda minute: minute.avg_handle_time,
    "wait s": lambda minute: minute.avg_wait_time,
    "agents": lambda minute: minute.active_agents,
}


def span(text: str) -> timedelta:
    """Read how far to look back: 90s, 15m, 1h, 2d."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no length of time such as 90s, 15m, 1h or 2d")
    return min(timedelta(**{_UNITS[found[2]]: int(found[1])}), CENTURY)


Last = Annotated[timedelta, typer.Option(parser=span, metavar="TIME", help="How far to look back: 15m, 1h, 2d.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def snapshots(
    *,
    last: Last = "1h",  # type: ignore[assignment]  # typer parses defaults, too
    queue: Annotated[str, typer.Option(help="Of this queue; over all queues when not given.")] = "",
    all_queues: Annotated[bool, typer.Option("--all-queues", help="Every queue's rows, too.")] = False,
    json: Json = False,
) -> None:
    """Show the minutes of the last hour: events, distinct interactions and agents, mean handle and wait time.

    A minute is `open` until it is final; figures of an open one still change. `~` marks agents that are at least so
    many: more than 65,536 of a minute are not counted exactly. The lines above the table have one bar for each minute,
    or for several when there are more than 60; a dot is a minute without events.
    """
    from dataclasses import asdict

    from connectors.settings import load
    from connectors.sinks.sqlite import history
    from connectors.sinks.sqlite.settings import SqliteSettings
    from streams.cli.ending import ended

    now = datetime.now(UTC)
    with ended():
        path = load(SqliteSettings).path
        found = history.minutes(path, _iso(now - last), None if all_queues else queue)
    if json:
        typer.echo(jsonlib.dumps({"snapshots": [asdict(minute) for minute in found]}))
        return
    if not found:
        typer.echo(f"No minute {_of(queue)} in {path} began since {_iso(now - last)}.")
        return
    _draw([minute for minute in found if minute.queue == queue])
    _minutes(found)


@app.command()
def alerts(
    *,
    last: Last = "1d",  # type: ignore[assignment]  # typer parses defaults, too
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open, however old.")] = False,
    json: Json = False,
) -> None:
    """Show the alerts of the last day, or those that are open."""
    from dataclasses import asdict

    from connectors.settings import load
    from connectors.sinks.sqlite import history
    from connectors.sinks.sqlite.settings import SqliteSettings
    from streams.cli.ending import ended

    since = "" if only_open else _iso(datetime.now(UTC) - last)
    with ended():
        path = load(SqliteSettings).path
        found = history.alerts(path, since, only_open=only_open)
    if json:
        typer.echo(jsonlib.dumps({"alerts": [asdict(alert) for alert in found]}))
        return
    if not found:
        typer.echo(f"No alert in {path} is open." if only_open else f"No alert in {path} changed since {since}.")
        return
    _alerts(found)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _short(time: str) -> str:
    """Return `11-26 14:31` of a time: a table has few columns, and everybody knows the year."""
    return time[5:16].replace("T", " ")


def _figure(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0")


def _of(queue: str) -> str:
    return f"of queue {_printable(queue)}" if queue else "over all queues"


def _printable(text: str) -> str:
    """Return a text with its control characters spelt out: they would drive the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _draw(minutes: "Sequence[Minute]") -> None:
    from streams.cli.sparkline import sparkline

    if not minutes:
        return
    by_start = {datetime.fromisoformat(minute.window): minute for minute in minutes}
    first, end = min(by_start), max(by_start)
    starts = [first + n * MINUTE for n in range((end - first) // MINUTE + 1)]
    for name, metric in _METRICS.items():
        values = [metric(by_start[start]) if start in by_start else None for start in starts]
        known = [value for value in values if value is not None]
        typer.echo(f"{name:>12}  {sparkline(values, SPARKLINE)}  {_figure(min(known))} to {_figure(max(known))}")


def _minutes(minutes: "Sequence[Minute]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    table.add_column("minute (UTC)", no_wrap=True)
    table.add_column("queue")
    for name in _METRICS:
        table.add_column(name, justify="right")
    table.add_column("")
    for minute in minutes:
        table.add_row(
            _short(minute.window),
            Text(_printable(minute.queue) or "(all)"),
            f"{minute.total_interactions:,}",
            f"{minute.interactions:,}",
            f"{minute.avg_handle_time:.1f}",
            f"{minute.avg_wait_time:.1f}",
            f"{'' if minute.exact else '~'}{minute.active_agents:,}",
            "final" if minute.final else "open",
        )
    Console().print(table)


def _alerts(alerts: "Sequence[Alert]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for name in ("opened (UTC)", "resolved", "state", "severity"):
        table.add_column(name, no_wrap=True)
    for name in ("rule", "metric", "queue"):
        table.add_column(name, overflow="fold")
    table.add_column("value / limit", justify="right", no_wrap=True)
    for alert in alerts:
        times = _short(alert.opened_at), _short(alert.resolved_at or "")
        texts = (alert.state, alert.severity, alert.rule, alert.metric, alert.queue or "(all)")
        figures = f"{_figure(alert.value)} / {_figure(alert.threshold)}"
        table.add_row(*times, *(Text(_printable(text)) for text in texts), figures)
    Console().print(table)
