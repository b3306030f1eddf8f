"""Figures -> a table for people, and JSON for programs."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import OURS, PERCENTILES, SINK, SLICE, STOCK
from benchmarks.measure import Run, Start

JOBS = (PERCENTILES, SLICE, SINK)
TARGET = 30  # times stock Faust, per CPU-second
MEASURED = ("faust-streaming", "aiokafka", "confluent-kafka", "fastavro", "orjson", "uvloop")


def machine() -> str:
    """Return what the figures were taken on, in one line."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line for line in cpuinfo if line.startswith("model name")), "model: unknown")
    packages = ", ".join(f"{name} {version(name)}" for name in MEASURED)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({model.partition(':')[2].strip()}), "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}"
    )


def ratios(runs: Sequence[Run]) -> dict[str, float]:
    """Return how many times stock Faust we do per CPU-second, by job: medians of the rounds."""
    return {job: _rate(runs, OURS, job) / _rate(runs, STOCK, job) for job in (PERCENTILES, SLICE)}


def as_json(runs: Sequence[Run], starts: Sequence[Start]) -> dict[str, Any]:
    return {
        "machine": machine(),
        "runs": [asdict(run) | {"per_cpu_second": run.per_cpu_second, "per_second": run.per_second} for run in runs],
        "times_stock_per_cpu_second": ratios(runs),
        "starts": [asdict(start) for start in starts],
    }


def show(console: Console, runs: Sequence[Run], starts: Sequence[Start]) -> None:
    console.print(machine(), style="dim", highlight=False)
    console.print(_throughput(runs))
    for job, times in ratios(runs).items():
        verdict = "[green]reached[/]" if times >= TARGET else "[red]missed[/]"
        console.print(f"{job}: {times:.1f} times stock Faust per CPU-second (target {TARGET}: {verdict})")
    console.print(_cold_starts(starts))


def _throughput(runs: Sequence[Run]) -> Table:
    table = Table(title="Through a backlog (results equal to the batch computation)")
    table.add_column("job")
    table.add_column("program")
    for name in ("events", "wall s", "CPU s", "events/CPU-s", "events/s", "start-up CPU s", "peak MB"):
        table.add_column(name, justify="right")
    for run in sorted(runs, key=lambda run: (JOBS.index(run.job), run.name)):
        table.add_row(
            run.job,
            run.name,
            f"{run.events:,}",
            f"{run.wall:.1f}",
            f"{run.cpu:.1f}",
            f"{run.per_cpu_second:,.0f}",
            f"{run.per_second:,.0f}",
            f"{run.start_cpu:.1f}",
            f"{run.peak_mb:.0f}",
        )
    return table


def _cold_starts(starts: Sequence[Start]) -> Table:
    table = Table(title="From a cold start, seconds (median and range)")
    for name in ("broker", "job", "program"):
        table.add_column(name)
    for name in ("ready", "first output", "CPU"):
        table.add_column(name, justify="right")
    for kind in dict.fromkeys((start.broker, start.job, start.name) for start in starts):
        of_kind = [start for start in starts if (start.broker, start.job, start.name) == kind]
        table.add_row(
            *kind,
            _median([start.ready for start in of_kind]),
            _median([start.first_output for start in of_kind]),
            _median([start.cpu for start in of_kind]),
        )
    return table


def _median(values: Sequence[float]) -> str:
    return f"[bold]{statistics.median(values):.2f}[/] ({min(values):.2f}-{max(values):.2f})"


def _rate(runs: Sequence[Run], name: str, job: str) -> float:
    return statistics.median(run.per_cpu_second for run in runs if (run.name, run.job) == (name, job))
