"""`cxone-streams lag`: how far each stage is behind."""

import json as jsonlib
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.table import Table

    from connectors.errors import ConnectorError
    from connectors.kafka.group_lag import PartitionLag


T = TypeVar("T")
OF_STAGES = "stage", "lag", "most", "owned", "workers", "watermark (UTC)", "behind"
OF_PARTITIONS = "stage", "topic", "partition", "lag", "committed", "end", "owner"


def lag(  # noqa: PLR0913 - options of a command
    stages: Annotated[list[str] | None, typer.Argument(help="Stages; all of them when none is given.")] = None,
    *,
    partitions: Annotated[bool, typer.Option("--partitions", help="A line for each partition.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks of --watch.")] = 2.0,
    seconds: Annotated[float | None, typer.Option(min=0, help="End --watch after so long.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs; with --watch a line a look.")] = False,
) -> None:
    """Show how many records each stage has still to read, who owns its partitions, and how far event time has come.

    The watermark is what every raw partition has passed: hours and minutes before it are final, but for lateness.

    Of --watch a terminal shows the newest look, and a pipe gets lines that begin with their time. An outage of Kafka is
    waited out.
    """
    import time

    from connectors.kafka.group_lag import GroupLag
    from connectors.settings import KafkaSettings, load
    from streams import topology
    from streams.cli.ending import ended
    from streams.programs.event_time import watermarks

    if unknown := set(stages or ()) - set(topology.STAGES):
        raise typer.BadParameter(f"no stage: {', '.join(sorted(unknown))}. Stages: {', '.join(topology.STAGES)}")
    chosen = [each for each in topology.DECLARATIONS.values() if not stages or each.name in stages]
    with ended():
        settings = load(KafkaSettings)
        groups = GroupLag(settings.librdkafka())

        def look() -> list[dict[str, Any]]:
            found = groups.lags({each.group: [spec.name for spec in each.sources] for each in chosen})
            reached = watermarks(settings) if any(each.behind for each in chosen) else {}
            now = time.time()
            return [
                row(each.name, found[each.group], reached.get(each.behind.name if each.behind else ""), now)
                for each in chosen
            ]

        if watch:
            with suppress(KeyboardInterrupt):
                _watch(looks(look, every=every, seconds=seconds), partitions=partitions, json=json)
            return
        rows = look()
    if json:
        typer.echo(jsonlib.dumps({"stages": rows}))
        return
    from rich.console import Console

    Console().print(_table(rows, partitions=partitions))


def looks(
    look: "Callable[[], T]",
    *,
    every: float,
    seconds: float | None,
    now: "Callable[[], float]" = monotonic,
    sleep: "Callable[[float], None]" = sleep,
) -> "Iterator[T | ConnectorError]":
    """Yield what is seen every so many seconds, for so many; an outage is seen, too. Raises ConfigurationError."""
    from connectors.errors import ConfigurationError, ConnectorError

    began = now()
    while True:
        seen: T | ConnectorError
        try:
            seen = look()
        except ConfigurationError:
            raise
        except ConnectorError as away:
            seen = away
        yield seen
        if seconds is not None and now() + every > began + seconds:
            return
        sleep(every)


def _watch(seen: "Iterable[Sequence[Mapping[str, Any]] | ConnectorError]", *, partitions: bool, json: bool) -> None:
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from connectors.errors import ConnectorError
    from streams.cli.records import escaped, time_text

    console = Console()
    if console.is_terminal and not json:
        with Live(console=console, auto_refresh=False) as live:
            for each in seen:
                shown = (
                    Text(escaped(str(each)))
                    if isinstance(each, ConnectorError)
                    else _table(each, partitions=partitions)
                )
                live.update(shown, refresh=True)
        return
    for each in seen:
        at = time_text(time.time_ns() // 1_000_000)
        if json:
            said = {"error": str(each)} if isinstance(each, ConnectorError) else {"stages": each}
            typer.echo(jsonlib.dumps({"at": at, **said}))
        elif isinstance(each, ConnectorError):
            typer.echo(f"{at}  {escaped(str(each))}", err=True)
        else:
            for line in lines(each, partitions=partitions):
                typer.echo(f"{at}  {line}")


def lines(rows: "Sequence[Mapping[str, Any]]", *, partitions: bool) -> list[str]:
    """Return a line for each stage, or each partition, in which every figure has its name."""
    names = OF_PARTITIONS if partitions else OF_STAGES
    return [
        "  ".join((cells[0], *(f"{name} {cell}" for name, cell in zip(names[1:], cells[1:], strict=True) if cell)))
        for cells in _cells(rows, partitions=partitions)
    ]


def _table(rows: "Sequence[Mapping[str, Any]]", *, partitions: bool) -> "Table":
    from rich.table import Table

    if partitions:
        table = Table(*OF_PARTITIONS, box=None, header_style="bold")
        for cells in _cells(rows, partitions=True):
            table.add_row(*cells)
        return table
    table = Table(box=None, header_style="bold")
    table.add_column(OF_STAGES[0], no_wrap=True)
    for name in OF_STAGES[1:]:
        table.add_column(name, justify="right")
    for each, cells in zip(rows, _cells(rows, partitions=False), strict=True):
        table.add_row(*cells, style=None if each["unowned"] == 0 else "yellow")
    return table


def _cells(rows: "Sequence[Mapping[str, Any]]", *, partitions: bool) -> list[list[str]]:
    if not partitions:
        return [_of_stage(each) for each in rows]
    return [
        [of_stage["stage"], *(str(value if value is not None else "-") for value in each.values())]
        for of_stage in rows
        for each in of_stage["partitions"]
    ]


def row(stage: str, lags: "Sequence[PartitionLag]", watermark: int | None, now: float) -> "dict[str, Any]":
    """Return what is said of a stage. `watermark` in ms since the epoch, `now` in seconds."""
    return {
        "stage": stage,
        "lag": sum(each.lag for each in lags),
        "largest_lag": max((each.lag for each in lags), default=0),
        "owned": sum(each.owner is not None for each in lags),
        "unowned": sum(each.owner is None for each in lags),
        "workers": len({each.owner for each in lags if each.owner is not None}),
        "watermark_ms": watermark,
        "behind_seconds": None if watermark is None else round(now - watermark / 1000, 1),
        "partitions": [
            {
                "topic": each.topic,
                "partition": each.partition,
                "lag": each.lag,
                "committed": each.committed,
                "end": each.end,
                "owner": each.owner,
            }
            for each in lags
        ],
    }


def _of_stage(stage: "Mapping[str, Any]") -> list[str]:
    from streams.cli.records import time_text

    watermark, behind = stage["watermark_ms"], stage["behind_seconds"]
    return [
        stage["stage"],
        f"{stage['lag']:,}",
        f"{stage['largest_lag']:,}",
        f"{stage['owned']} of {stage['owned'] + stage['unowned']}",
        str(stage["workers"]),
        "" if watermark is None else time_text(watermark)[:19].replace("T", " "),
        "" if behind is None else f"{behind:,.0f} s",
    ]
