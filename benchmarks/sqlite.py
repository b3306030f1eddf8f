"""`python -m benchmarks.sqlite`: how fast the SQLite file takes rows, and what a lock and a reader do to its writer.

Four measurements on a file of their own, without Kafka: the most rows a second, rows at a steady rate beside a reader
that keeps a transaction open (`--seconds 600` for ten minutes of it), another program's write lock of exactly three
seconds, and `integrity_check` at the end. `--folder` says on which disk.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import apsw
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from connectors.errors import Unavailable
from connectors.sinks.sqlite.file import SqliteFile, Values
from connectors.sinks.sqlite.settings import SqliteSettings
from schemas.records import MetricSnapshot
from streams.stages.sqlite.rows import snapshot_values

TOPIC = "benchmark"
MINUTES = 10_000  # different ones, revised again and again
BEGIN = 1_795_694_400_000
LOCKED_FOR = 3.0  # seconds
RETRY = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table."""

    what: str
    value: str


class Writer:
    """Writes rows that are always newer than the ones before; keeps how long each transaction took, in ms."""

    def __init__(self, path: Path) -> None:
        self.settings = SqliteSettings(path=path)
        self.file = SqliteFile(self.settings)
        self.written = 0
        self.took: list[float] = []

    async def write(self, rows: int) -> None:
        values = [_row(number) for number in range(self.written, self.written + rows)]
        began = time.perf_counter()
        await self.file.write({"metric_snapshots": values}, {(TOPIC, 0): self.written + rows})
        self.took.append(1000 * (time.perf_counter() - began))
        self.written += rows

    def taken(self) -> list[float]:
        """Return how long the transactions since the last question took."""
        taken, self.took = self.took, []
        return taken


def _row(number: int) -> Values:
    revision, minute = divmod(number, MINUTES)
    window = BEGIN + minute * 60_000
    return snapshot_values(MetricSnapshot(window, "", number, 4, 61.5, 4.25, 3, revision + 1, True, True, 12))


async def most_rows(writer: Writer, transactions: int, rows: int) -> list[Figure]:
    began = time.perf_counter()
    for _ in range(transactions):
        await writer.write(rows)
    seconds, took = time.perf_counter() - began, writer.taken()
    return [
        Figure(f"rows a second, {rows} in a transaction", f"{transactions * rows / seconds:,.0f}"),
        Figure("longest transaction, ms", f"{max(took):.0f}"),
    ]


async def beside_a_reader(writer: Writer, path: Path, seconds: float, rate: int) -> list[Figure]:
    """Write `rate` rows a second, a hundred at a time, while a reader's transaction stays open."""
    rows, log, red, longest = 100, Path(f"{path}-wal"), None, 0
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT count(*) FROM metric_snapshots").fetchall()
    began, before = time.perf_counter(), _size(log)
    for number in range(int(seconds * rate / rows)):
        await asyncio.sleep(max(0.0, began + number * rows / rate - time.perf_counter()))
        await writer.write(rows)
        longest = max(longest, _size(log))
        if number % (rate // rows) == 0 and red is None and await writer.file.tend():
            red = time.perf_counter() - began
    passed, took = time.perf_counter() - began, writer.taken()
    reader.close()
    await writer.write(rows)
    await writer.write(rows)
    told = "stays green" if red is None else f"red after {red:.0f} s"
    after = "red" if await writer.file.tend() else "green"
    return [
        Figure(f"beside a reader for {passed:.0f} s: rows a second", f"{len(took) * rows / passed:,.0f}"),
        *(Figure(f"writer, ms: p{p}", f"{value:.1f}") for p, value in _percentiles(took)),
        Figure("writer, ms: longest", f"{max(took):.0f}"),
        Figure("log, MiB: at the beginning, at the end", f"{before >> 20}, {longest >> 20}"),
        Figure(
            f"readiness with a limit of {writer.settings.wal_limit_mb} MiB",
            f"{told}, {after} when the reader has ended",
        ),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size


def _percentiles(took: Sequence[float]) -> Iterator[tuple[int, float]]:
    for p in (50, 99):
        yield p, float(np.percentile(took, p))


async def locked(writer: Writer, path: Path) -> list[Figure]:
    """Have another program hold the write lock for three seconds; write as the stage does, again and again."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    began, words = time.perf_counter(), set()
    asyncio.get_running_loop().call_later(LOCKED_FOR, other.close)
    while True:
        try:
            await writer.write(100)
        except Unavailable as failure:
            words.add(str(failure))
            await asyncio.sleep(RETRY)
        else:
            break
    late = time.perf_counter() - began - LOCKED_FOR
    return [
        Figure("locked for 3 s: readiness says", "; ".join(words)),
        Figure("locked for 3 s: written after its end, ms", f"{1000 * late:.0f}"),
    ]


def intact(writer: Writer, path: Path) -> list[Figure]:
    """Check that the file has all that was written; ends the program when it has not."""
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    said = str(database.pragma("integrity_check"))
    newest, following = database.execute(
        "SELECT max(total_interactions), (SELECT next FROM positions) FROM metric_snapshots"
    ).fetchall()[0]
    database.close()
    if (newest, following, said) != (writer.written - 1, writer.written, "ok"):
        sys.exit(f"{newest} and {following} are stored of {writer.written}, integrity is {said}")
    return [Figure("integrity, nothing lost", said)]


async def measure(path: Path, seconds: float, rate: int) -> list[Figure]:
    writer = Writer(path)
    await writer.file.positions()
    figures = await most_rows(writer, 100, 1000)
    figures += await beside_a_reader(writer, path, seconds, rate)
    figures += await locked(writer, path)
    await writer.file.close()
    return [*figures, *intact(writer, path)]


def main(
    seconds: Annotated[float, typer.Option(help="How long the reader's transaction stays open.")] = 20.0,
    rate: Annotated[int, typer.Option(help="Rows a second beside the reader.")] = 1000,
    folder: Annotated[Path | None, typer.Option(help="Where the file is made; a temporary one otherwise.")] = None,
) -> None:
    """Measure the SQLite file."""
    with TemporaryDirectory(dir=folder) as place:
        figures = asyncio.run(measure(Path(place) / "metrics.db", seconds, rate))
    table = Table("measured", "")
    for figure in figures:
        table.add_row(figure.what, figure.value)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
