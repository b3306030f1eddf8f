"""`cxone-streams lag`: how far each stage is behind."""

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.kafka.group_lag import PartitionLag


def lag(
    stages: Annotated[list[str] | None, typer.Argument(help="Stages; all of them when none is given.")] = None,
    *,
    partitions: Annotated[bool, typer.Option("--partitions", help="A line for each partition.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show how many records each stage has still to read, who owns its partitions, and how far event time has come.

    The watermark is what every raw partition has passed: hours and minutes before it are final, but for lateness.
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
        found = GroupLag(settings.librdkafka()).lags({each.group: [s.name for s in each.sources] for each in chosen})
        reached = watermarks(settings) if any(each.behind for each in chosen) else {}
    now = time.time()
    rows = [
        row(each.name, found[each.group], reached.get(each.behind.name if each.behind else ""), now) for each in chosen
    ]
    if json:
        typer.echo(jsonlib.dumps({"stages": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    if partitions:
        table = Table("stage", "topic", "partition", "lag", "committed", "end", "owner", box=None, header_style="bold")
        for of_stage in rows:
            for each in of_stage["partitions"]:
                table.add_row(of_stage["stage"], *(str(value if value is not None else "-") for value in each.values()))
    else:
        table = Table(box=None, header_style="bold")
        table.add_column("stage", no_wrap=True)
        for name in ("lag", "most", "owned", "workers", "watermark (UTC)", "behind"):
            table.add_column(name, justify="right")
        for each in rows:
            table.add_row(*_cells(each), style=None if each["unowned"] == 0 else "yellow")
    Console().print(table)


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


def _cells(stage: "Mapping[str, Any]") -> list[str]:
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
