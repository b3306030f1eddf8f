"""The figures of growth, for programs and for people: JSON, a table, and that table as Markdown.

`python -m benchmarks.growth.report FIGURES.json` prints the Markdown.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.growth.measure import Growth, NoFigure
from benchmarks.growth.points import AXES, Point
from benchmarks.report import machine

Measured = Mapping[str, Any]  # one point, as JSON


def _rocksdb(name: str, form: str) -> Callable[[Measured], str]:
    return lambda point: format(point["rocksdb"][name], form) if point["rocksdb"] else "-"


COLUMNS: Mapping[str, Callable[[Measured], str]] = {
    "windows": lambda point: f"{point['windows']:,}",
    "CPU µs an event": lambda point: f"{point['us_an_event']:.1f}",
    "events/s": lambda point: f"{point['per_second']:,.0f}",
    "peak MB": lambda point: f"{point['peak_mb']:.0f}",
    "MB at rest": lambda point: f"{point['memory']['mb']:.0f}",
    "loop ms: p99.9": lambda point: f"{point['blocked']['p999']:.0f}",
    "worst": lambda point: f"{point['blocked']['worst']:.0f}",
    "load": lambda point: f"{point['memory']['blocked']['worst']:.0f}",
    "changelog B an event": lambda point: f"{point['changelog_bytes']:.0f}",
    "recovery: s": lambda point: f"{point['memory']['seconds']:.2f}",
    "µs a window": lambda point: f"{point['memory']['us_a_window']:.0f}",
    "RocksDB: s": _rocksdb("seconds", ".2f"),
    "µs": _rocksdb("us_a_window", ".0f"),
}
NONE = "no figure"


def as_json(found: Sequence[Growth | NoFigure]) -> dict[str, Any]:
    return {"machine": machine(), "points": [each.as_json() for each in found]}


def rows(growth: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the cells of each row, axis by axis: the axis, the value on it, the columns. The base is on all axes."""
    base, found = growth["points"][0]["point"], []
    for axis in AXES:
        others = [other for other in AXES if other != axis]
        on_it = [each for each in growth["points"] if all(each["point"][other] == base[other] for other in others)]
        for each in sorted(on_it, key=lambda each: int(each["point"][axis])):
            cells = [NONE] * len(COLUMNS) if "why" in each else [cell(each) for cell in COLUMNS.values()]
            found.append((axis, f"{each['point'][axis]:,}", *cells))
    return found


def show(console: Console, growth: Mapping[str, Any]) -> None:
    """Print the table of what `as_json` returned."""
    console.print(growth["machine"], style="dim", highlight=False)
    base = Point(**growth["points"][0]["point"])
    table = Table(title=f"Growth, one thing at a time around {base} (every window equal to the batch)")
    table.add_column("")
    for name in ("", *COLUMNS):
        table.add_column(name, justify="right")
    for row in rows(growth):
        table.add_row(*row)
    console.print(table)
    for each in growth["points"]:
        if "why" in each:
            console.print(f"No figure for {Point(**each['point'])}: {each['why']}")


def markdown(growth: Mapping[str, Any]) -> str:
    """Return the table of what `as_json` returned, as docs/benchmarks.md has it."""
    lines = [("", "", *COLUMNS), ("---", *["---:"] * (len(COLUMNS) + 1)), *rows(growth)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(markdown(json.loads(Path(sys.argv[1]).read_text())["growth"]))
