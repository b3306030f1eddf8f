"""Updates of dashboards a second of one worker, and how long one takes: part of `python -m benchmarks`.

`python -m benchmarks.dashboards` measures it alone, with a size of your own.

An update is a command that changes a dashboard: GET, merge, intent, PUT, outcome. CXone's stand-in answers at once; the
client-side budget of 100 requests a second, which is what a worker keeps to by default, is measured apart.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks import report
from benchmarks.brokers import own_kafka
from benchmarks.process import Process
from benchmarks.results import WrongResults
from connectors.kafka.topic_admin import TopicAdmin
from schemas.records import DashboardApplied, DashboardCommand
from streams.programs import dashboards
from streams.stages.dashboards.files import check
from streams.topology import topics

FILE = """\
id: {id}
name: {name}
widgets:
  - {{title: A, type: metric, position: {{x: 0, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
  - {{title: B, type: metric, position: {{x: 1, y: 0, w: 1, h: 1}}, query: {{range: -1d, metrics: [avg_handle_time]}}}}
"""


BUDGETS = (1000, 100)  # requests a second; the last is the default


@dataclass(frozen=True, slots=True)
class Size:
    """`number` dashboards, each changed `rounds` times in the backlog; then `rate` updates a second for `seconds`."""

    number: int
    rounds: int
    rate: float
    seconds: float


USUAL = Size(number=50, rounds=10, rate=10, seconds=20)


@dataclass(frozen=True, slots=True)
class Updates:
    """What one worker did within a budget: updates a second of a backlog; at `rate`, ms from issued to outcome."""

    budget: int
    per_second: float
    rate: float
    p50: float
    p99: float
    load: float


def command(dashboard: str, number: int, *, create: bool = False) -> DashboardCommand:
    now = time.time_ns() // 1_000_000
    document = check(FILE.format(id=dashboard, name=f"n{number}"), "f", now / 1000).document
    return DashboardCommand(
        command_id=f"{dashboard}-{number}-{now}",
        dashboard_id=dashboard,
        kind="apply",
        document=json.dumps(document),
        create=create,
        etag=None,
        actor="benchmark",
        issued_at=now,
        expires_at=now + 600_000,
    )


async def carried_out(commands: Sequence[DashboardCommand]) -> Sequence[DashboardApplied]:
    outcomes = await dashboards.follow(commands, lambda _: None, until=time.time() + 120)
    wrong = [each.words for each in outcomes.values() if each.status != "applied"]
    if wrong or len(outcomes) < len(commands):
        raise WrongResults(
            f"{len(outcomes)} of {len(commands)} commands ended, {len(wrong)} of them not applied: {wrong[:3]}"
        )
    return list(outcomes.values())


async def burst(names: Sequence[str], rounds: int) -> float:
    """Return updates a second of a backlog: each dashboard is changed so many times."""
    commands = [command(name, number) for number in range(1, rounds + 1) for name in names]
    await dashboards.publish(commands)
    ends = sorted(each.at for each in await carried_out(commands))
    cut = len(ends) // 10
    return 1000 * (len(ends) - 2 * cut) / max(ends[-1 - cut] - ends[cut], 1)


async def steady(names: Sequence[str], rate: float, seconds: float) -> list[float]:
    """Return the seconds from issued to applied, at so many updates a second."""
    commands: list[DashboardCommand] = []
    for number in range(int(rate * seconds)):
        commands.append(command(names[number % len(names)], 1000 + number))
        await dashboards.publish(commands[-1:])
        await asyncio.sleep(max(commands[0].issued_at / 1000 + (number + 1) / rate - time.time(), 0))
    issued = {each.command_id: each.issued_at for each in commands}
    return [(each.at - issued[each.command_id]) / 1000 for each in await carried_out(commands)]


def measured(settings: dict[str, str], names: Sequence[str], size: Size) -> tuple[float, list[float]]:
    """Return what `burst` and `steady` return of one worker."""
    with Process([sys.executable, "-m", "streams", "worker", "dashboards"], settings) as worker:
        worker.ready(60)
        begin = [command(name, 0, create=True) for name in names]
        asyncio.run(dashboards.publish(begin))
        asyncio.run(carried_out(begin))
        return asyncio.run(burst(names, size.rounds)), asyncio.run(steady(names, size.rate, size.seconds))


def measure(bootstrap: str, size: Size = USUAL) -> list[Updates]:
    """Measure one worker: first with ten times the budget of requests, then with it. Raises WrongResults."""
    found = []
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap
    with Process([sys.executable, "-m", "streams", "simulate", "--count", "1"], {}) as cxone:
        base = str(cxone.ready(60)["dashboards_url"]).removesuffix("/api/v2/dashboards")
        for budget in BUDGETS:
            settings = {
                "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "CXONE_CLIENT_ID": "simulator",
                "CXONE_CLIENT_SECRET": "simulator-secret",
                "CXONE_DASHBOARDS_TOKEN_URL": f"{base}/oauth/v2/token",
                "CXONE_DASHBOARDS_API_URL": base,
                "DASHBOARDS_RATE": str(budget),
                "DASHBOARDS_CONCURRENCY": "50",
                "LOG_LEVEL": "warning",
            }
            names = [f"b{budget}-{each}" for each in range(size.number)]
            per_second, took = measured(settings, names, size)
            p50, p99 = np.percentile(took, (50, 99)) * 1000
            found.append(Updates(budget, per_second, size.rate, float(p50), float(p99), os.getloadavg()[0]))
    return found


def main(
    *,
    number: Annotated[int, typer.Option(min=1, help="Dashboards.")] = USUAL.number,
    rounds: Annotated[int, typer.Option(min=1, help="Changes of each, in the backlog.")] = USUAL.rounds,
    rate: Annotated[float, typer.Option(min=0.1, help="Updates per second, where the time of one is measured.")] = (
        USUAL.rate
    ),
    seconds: Annotated[float, typer.Option(min=1, help="For so long.")] = USUAL.seconds,
) -> None:
    """Measure one worker: first with ten times the budget of requests, then with it."""
    try:
        with own_kafka() as bootstrap:
            report.show_dashboards(Console(), measure(bootstrap, Size(number, rounds, rate, seconds)))
    except WrongResults as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    typer.run(main)
