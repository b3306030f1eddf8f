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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks import report
from benchmarks.brokers import own_kafka
from benchmarks.process import Process, ProcessFailed
from benchmarks.results import WrongResults
from connectors.kafka.publisher import KafkaPublisher
from connectors.kafka.topic_admin import TopicAdmin
from schemas.avro import Codec
from schemas.envelope import Outgoing
from schemas.records import DashboardApplied, DashboardCommand
from schemas.releases import FileSchemaIds
from schemas.topics import DASHBOARD_COMMANDS
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
LIMIT = 150.0  # seconds for all of it; it takes half

Told = Callable[[str], None]  # of how far it is


@dataclass(frozen=True, slots=True)
class Size:
    """`number` dashboards, each changed `rounds` times in the backlog; then `rate` updates a second for `seconds`."""

    number: int
    rounds: int
    rate: float
    seconds: float


USUAL = Size(number=50, rounds=8, rate=10, seconds=20)


@dataclass(frozen=True, slots=True)
class Updates:
    """What one worker did within a budget.

    `per_second` and `cpu_ms` (of the worker, an update) are of a backlog; `p50` and `p99`, in ms from issued to
    outcome, of `rate` updates a second.
    """

    budget: int
    per_second: float
    cpu_ms: float
    rate: float
    p50: float
    p99: float
    load: float


class Desk:
    """Issues commands, and waits for what becomes of them until `until` (seconds since the epoch).

    It has one producer: a new one takes half a second until Kafka has its first record. `told` hears how far it is.
    """

    def __init__(self, bootstrap: str, until: float, told: Told) -> None:
        self._until, self.told = until, told
        self._encode = Codec(FileSchemaIds()).encoder(DashboardCommand)
        self._publisher = KafkaPublisher({"bootstrap.servers": bootstrap, "message.timeout.ms": 30_000})

    async def issue(self, commands: Sequence[DashboardCommand]) -> None:
        await self._publisher.publish(
            [Outgoing(DASHBOARD_COMMANDS.name, each.dashboard_id.encode(), self._encode(each)) for each in commands]
        )

    async def carried_out(self, commands: Sequence[DashboardCommand]) -> Sequence[DashboardApplied]:
        """Return what became of commands. Raises WrongResults unless all were applied in time."""
        outcomes = await dashboards.follow(commands, lambda _: None, until=self._until)
        wrong = [each.words for each in outcomes.values() if each.status != "applied"]
        if wrong or len(outcomes) < len(commands):
            raise WrongResults(
                f"dashboards: {len(outcomes)} of {len(commands)} commands ended within the {LIMIT:g} s that there are"
                f" for everything, {len(wrong)} of them not applied: {wrong[:3]}"
            )
        return list(outcomes.values())

    async def close(self) -> None:
        await self._publisher.close()


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


async def burst(desk: Desk, names: Sequence[str], rounds: int) -> float:
    """Return updates a second of a backlog: each dashboard is changed so many times."""
    commands = [command(name, number) for number in range(1, rounds + 1) for name in names]
    await desk.issue(commands)
    ends = sorted(each.at for each in await desk.carried_out(commands))
    cut = len(ends) // 10
    return 1000 * (len(ends) - 2 * cut) / max(ends[-1 - cut] - ends[cut], 1)


async def steady(desk: Desk, names: Sequence[str], rate: float, seconds: float) -> list[float]:
    """Return the seconds from issued to applied, at so many updates a second. Raises WrongResults when it was fewer."""
    commands: list[DashboardCommand] = []
    began = time.time()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(began + number / rate - time.time(), 0))
        commands.append(command(names[number % len(names)], 1000 + number))
        await desk.issue(commands[-1:])
    took = time.time() - began
    if took > 1.1 * seconds:
        raise WrongResults(f"dashboards: {len(commands) / took:.1f} commands a second were issued, not {rate:g}")
    issued = {each.command_id: each.issued_at for each in commands}
    return [(each.at - issued[each.command_id]) / 1000 for each in await desk.carried_out(commands)]


async def measured(desk: Desk, worker: Process, budget: int, size: Size) -> Updates:
    """Measure a worker that is ready. Raises WrongResults."""
    names = [f"b{budget}-{each}" for each in range(size.number)]
    begin = [command(name, 0, create=True) for name in names]
    await desk.issue(begin)
    await desk.carried_out(begin)
    desk.told(f"budget of {budget:,}/s: {size.number} dashboards are there; {size.rounds} updates of each")
    spent = worker.cpu_seconds
    per_second = await burst(desk, names, size.rounds)
    cpu_ms = 1000 * (worker.cpu_seconds - spent) / (size.number * size.rounds)
    desk.told(f"budget of {budget:,}/s: {per_second:,.0f} updates/s; now {size.rate:g}/s for {size.seconds:g} s")
    p50, p99 = np.percentile(await steady(desk, names, size.rate, size.seconds), (50, 99)) * 1000
    return Updates(budget, per_second, cpu_ms, size.rate, float(p50), float(p99), os.getloadavg()[0])


def measure(bootstrap: str, size: Size = USUAL, told: Told = lambda _: None) -> list[Updates]:
    """Measure one worker: first with ten times the budget of requests, then with it.

    Raises WrongResults, also when it takes longer than `LIMIT`; ProcessFailed.
    """
    found = []
    TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap  # for `dashboards.follow`
    desk = Desk(bootstrap, time.time() + LIMIT, told)
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
            with Process([sys.executable, "-m", "streams", "worker", "dashboards"], settings) as worker:
                worker.ready(60)
                try:
                    found.append(asyncio.run(measured(desk, worker, budget, size)))
                finally:
                    worker.check()  # if it died, that is what there is to say
    asyncio.run(desk.close())
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
            console = Console()
            report.show_dashboards(console, measure(bootstrap, Size(number, rounds, rate, seconds), console.print))
    except (WrongResults, ProcessFailed) as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    typer.run(main)
