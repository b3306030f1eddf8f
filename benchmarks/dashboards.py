"""`python -m benchmarks.dashboards`: updates a second of one worker, and how long one takes, on a Kafka of its own.

An update is a command that changes a dashboard: GET, merge, intent, PUT, outcome. CXone's stand-in answers at once; the
client-side budget of 100 requests a second, which is what a worker keeps to by default, is measured apart.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import own_kafka
from benchmarks.process import Process
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
        sys.exit(f"{len(outcomes)} of {len(commands)} commands ended, {len(wrong)} of them not applied: {wrong[:3]}")
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


def measured(settings: dict[str, str], names: Sequence[str], rounds: int, rate: float, seconds: float) -> Iterator[Any]:
    with Process([sys.executable, "-m", "streams", "worker", "dashboards"], settings) as worker:
        worker.ready(60)
        begin = [command(name, 0, create=True) for name in names]
        asyncio.run(dashboards.publish(begin))
        asyncio.run(carried_out(begin))
        yield asyncio.run(burst(names, rounds))
        yield asyncio.run(steady(names, rate, seconds))


def main(
    *,
    number: Annotated[int, typer.Option(min=1, help="Dashboards.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Changes of each, in the backlog.")] = 10,
    rate: Annotated[float, typer.Option(min=0.1, help="Updates per second, where the time of one is measured.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="For so long.")] = 20,
) -> None:
    """Measure one worker: first without the budget of requests, then with it."""
    table = Table("budget", "backlog: updates/s", f"at {rate:g}/s: p50 ms", "p99 ms")
    with own_kafka() as bootstrap, Process([sys.executable, "-m", "streams", "simulate", "--count", "1"], {}) as cxone:
        os.environ["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap
        base = str(cxone.ready(60)["dashboards_url"]).removesuffix("/api/v2/dashboards")
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
        for budget in ("1000", "100"):
            settings = {
                "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "CXONE_CLIENT_ID": "simulator",
                "CXONE_CLIENT_SECRET": "simulator-secret",
                "CXONE_DASHBOARDS_TOKEN_URL": f"{base}/oauth/v2/token",
                "CXONE_DASHBOARDS_API_URL": base,
                "DASHBOARDS_RATE": budget,
                "DASHBOARDS_CONCURRENCY": "50",
                "LOG_LEVEL": "warning",
            }
            names = [f"b{budget}-{each}" for each in range(number)]
            per_second, took = measured(settings, names, rounds, rate, seconds)
            p50, p99 = np.percentile(took, (50, 99)) * 1000
            table.add_row(f"{budget}/s", f"{per_second:,.0f}", f"{p50:.0f}", f"{p99:.0f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
