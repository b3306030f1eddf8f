"""Figures -> a table for people, and JSON for programs."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import OURS, PERCENTILES, SINK, SLICE, STOCK
from benchmarks.guests import CONCURRENCY, POSSIBLE, Latency, Sustained
from benchmarks.journeys import Spread
from benchmarks.measure import Run, Start

if TYPE_CHECKING:
    from benchmarks import latency as interactions
    from benchmarks.dashboards import Updates

JOBS = (PERCENTILES, SLICE, SINK)
TARGET = 30  # times stock Faust, per CPU-second
LATENCY_TARGETS = (30, 100)  # p50 and p99 in milliseconds
ROW_TARGETS = (10, 40)  # the same, of interactions
CALLS_TARGET = 0.8  # of the calls that are possible
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


def guests_as_json(latencies: Sequence[Latency], sustained: Sustained) -> dict[str, Any]:
    return {"machine": machine(), "latencies": list(map(asdict, latencies)), "calls": asdict(sustained)}


def latencies_as_json(latencies: "Sequence[interactions.Latency]") -> dict[str, Any]:
    return {"machine": machine(), "latencies": list(map(asdict, latencies))}


def show_latencies(console: Console, latencies: "Sequence[interactions.Latency]") -> None:
    console.print(machine(), style="dim", highlight=False)
    p50, p99 = ROW_TARGETS
    for each in latencies:
        title = f"{each.layout}: {each.events:,} events, {each.rate:.0f} a second, at a load of {each.load:.1f} (ms)"
        console.print(_spreads(title, "from the raw topic to the hour's row", {"whole": each.whole}, each.hops))
        verdict = _verdict(reached=each.whole.p50 <= p50 and each.whole.p99 <= p99)
        console.print(f"target: p50 at most {p50} ms and p99 {p99}: {verdict}; cores: {_by_process(each.cpu)}")


def dashboards_as_json(updates: "Sequence[Updates]") -> dict[str, Any]:
    return {"machine": machine(), "updates": list(map(asdict, updates))}


def show_dashboards(console: Console, updates: "Sequence[Updates]") -> None:
    console.print(machine(), style="dim", highlight=False)
    table = Table(title="One worker that puts dashboards into CXone")
    backlog = ("backlog: updates/s", "worker's CPU ms")
    for name in ("budget of requests/s", *backlog, "at updates/s", "p50 ms", "p99 ms", "load"):
        table.add_column(name, justify="right")
    for each in updates:
        table.add_row(
            f"{each.budget:,}",
            f"{each.per_second:,.0f}",
            f"{each.cpu_ms:.1f}",
            f"{each.rate:g}",
            f"{each.p50:,.0f}",
            f"{each.p99:,.0f}",
            f"{each.load:.1f}",
        )
    console.print(table)


def show(console: Console, runs: Sequence[Run], starts: Sequence[Start]) -> None:
    console.print(machine(), style="dim", highlight=False)
    console.print(_throughput(runs))
    for job, times in ratios(runs).items():
        verdict = _verdict(reached=times >= TARGET)
        console.print(f"{job}: {times:.1f} times stock Faust per CPU-second (target {TARGET}: {verdict})")
    console.print(_cold_starts(starts))


def show_guests(console: Console, latencies: Sequence[Latency], sustained: Sustained) -> None:
    console.print(machine(), style="dim", highlight=False)
    p50, p99 = LATENCY_TARGETS
    for latency in latencies:
        console.print(_latency(latency))
        verdict = _verdict(reached=latency.received.p50 < p50 and latency.received.p99 < p99)
        console.print(
            f"target: p50 below {p50} ms and p99 below {p99} ms: {verdict}; cores: {_by_process(latency.cpu)}"
        )
    console.print(
        f"one routing worker, {CONCURRENCY} calls under way: [bold]{sustained.per_second:,.0f}[/] calls/s,"
        f" {sustained.share:.0%} of {POSSIBLE:,.0f} (target {CALLS_TARGET:.0%}:"
        f" {_verdict(reached=sustained.share >= CALLS_TARGET)}) at a load of {sustained.load:.1f};"
        f" CPU ms a call: {_by_process(sustained.cpu)}"
    )


def _latency(latency: Latency) -> Table:
    title = (
        f"{latency.layout}: {latency.messages:,} messages, {latency.rate:.0f} a second, at a load of {latency.load:.1f}"
    )
    whole = {"frame received to answer": latency.received, "frame written to call taken": latency.written}
    return _spreads(f"{title} (ms)", "from the socket to CXone's answer", whole, latency.hops)


def _spreads(title: str, of: str, whole: Mapping[str, Spread], hops: Mapping[str, Spread]) -> Table:
    table = Table(title=title)
    table.add_column(of, min_width=60)
    for name in ("p50", "p99", "worst"):
        table.add_column(name, justify="right")
    for name, spread in ({**whole} | {f"  {hop}": spread for hop, spread in hops.items()}).items():
        table.add_row(name, *(f"{each:,.0f}" for each in spread))
    return table


def _by_process(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())


def _verdict(*, reached: bool) -> str:
    return "[green]reached[/]" if reached else "[red]missed[/]"


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
