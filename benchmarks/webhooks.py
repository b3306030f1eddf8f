"""`python -m benchmarks.webhooks`: what the door takes, beside the same door with one transaction a request.

On a real Kafka of its own; the two doors in turns. Clients of a number ask again as soon as they have an answer; one
alone takes turns with single commits without a door; then new requests come at a steady rate, whatever the answers
take. The generator writes and reads bytes, so that it costs less than the door.
"""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import mean
from typing import Annotated, Any, Self

import numpy as np
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.brokers import own_kafka
from benchmarks.process import Process
from connectors.kafka.publisher import transactional_config
from connectors.kafka.topic_admin import TopicAdmin
from connectors.kafka.transactions import TransactionalPublisher
from schemas.envelope import DATA_ACTION_PATH, Outgoing
from schemas.topics import RAW_WEBHOOKS
from streams.topology import topics

SECRET = "a-secret-of-the-benchmark"
SHARED, LONE = "shared transactions", "one a request"
DOORS = {SHARED: ("-m", "streams", "connect", "webhooks"), LONE: ("-m", "benchmarks.lone_door")}
WARM_UP = 1.0  # seconds
KAFKA_WARM_UP = 5.0  # seconds of each door: a Kafka that has just started compiles itself


def request(number: int) -> bytes:
    body = b'{"id":"i-%d","channel":"voice","customer":{"email":"a@example.com"},"agent":{"id":"a-1"}}' % number
    head = f"POST {DATA_ACTION_PATH} HTTP/1.1\r\nHost: x\r\nX-CXone-Webhook-Secret: {SECRET}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def ask(self, number: int) -> bool:
        """Return whether the request was accepted."""
        self._writer.write(request(number))
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return head.startswith(b"HTTP/1.1 200 ")

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Load:
    """What clients saw: how many seconds each request took. `asked` counts the warm-up, too."""

    per_second: float
    took: Sequence[float]
    asked: int


async def closed_loop(port: int, clients: int, seconds: float) -> Load:
    took: list[float] = []
    begins = time.monotonic() + WARM_UP
    ends = begins + seconds
    asks = 0

    async def live(first: int) -> None:
        nonlocal asks
        client, number = await Client(port).open(), first
        while (asked := time.monotonic()) < ends:
            accepted = await client.ask(number)
            asks += 1
            number += clients
            if accepted and asked >= begins:
                took.append(time.monotonic() - asked)
        client.close()

    await asyncio.gather(*(live(number) for number in range(clients)))
    return Load(len(took) / seconds, took, asks)


async def open_loop(port: int, rate: float, seconds: float) -> Load:
    """As `closed_loop`, for new requests at a steady rate; a request's time begins when it is due."""
    took: list[float] = []
    free: list[Client] = []
    begins = time.monotonic()

    async def ask(number: int, due: float) -> None:
        client = free.pop() if free else await Client(port).open()
        if await client.ask(number) and due >= begins + WARM_UP:
            took.append(time.monotonic() - due)
        free.append(client)

    requests = int(rate * (seconds + WARM_UP))
    async with asyncio.TaskGroup() as asking:
        for number in range(requests):
            due = begins + number / rate
            await asyncio.sleep(due - time.monotonic())
            asking.create_task(ask(number, due))
    for client in free:
        client.close()
    return Load(len(took) / seconds, took, requests)


async def in_turns(port: int, bootstrap: str, seconds: float) -> tuple[list[float], list[float]]:
    """Return the seconds that requests take, and single commits without a door, one after the other.

    In turns, so that whatever else this machine does slows both alike.
    """
    publisher = TransactionalPublisher(transactional_config({"bootstrap.servers": bootstrap}, "cxone-webhooks-bench"))
    await publisher.start()
    client, number = await Client(port).open(), 0
    requests: list[float] = []
    commits: list[float] = []
    ends = time.monotonic() + WARM_UP + seconds
    while (asked := time.monotonic()) < ends:
        await client.ask(number)
        answered = time.monotonic()
        await publisher.publish([Outgoing(RAW_WEBHOOKS.name, b"k", bytes(100))])
        if asked >= ends - seconds:
            requests.append(answered - asked)
            commits.append(time.monotonic() - answered)
        number += 1
    client.close()
    await publisher.close()
    return requests, commits


class Figures:
    """A table of what was measured. Its CPU is of the door and of the generator, which is this process."""

    def __init__(self, process: Process, door: str, table: Table, runner: asyncio.Runner) -> None:
        self._process, self._door, self._table, self._runner = process, door, table, runner

    def measure(self, clients: str, load: Coroutine[Any, Any, Load]) -> float:
        """Return requests a second."""
        before = self._process.cpu_seconds, time.process_time()
        found = self._runner.run(load)
        spent = self._process.cpu_seconds - before[0], time.process_time() - before[1]
        self.row(self._door, clients, found.took, found.per_second, [1e6 * each / found.asked for each in spent])
        return found.per_second

    def row(self, what: str, clients: str, took: Sequence[float], per_second: float, cpu: Sequence[float] = ()) -> None:
        p50, p99 = np.percentile(took, (50, 99)) * 1000 if took else (0.0, 0.0)
        micro = [f"{each:,.0f}" for each in cpu]
        self._table.add_row(what, clients, f"{per_second:,.0f}", f"{p50:.1f}", f"{p99:.1f}", *micro)


def main(
    *,
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,16,128,512",
    rate: Annotated[float, typer.Option(min=1, help="Requests a second of the open loop.")] = 1000,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Of each measurement.")] = 5,
) -> None:
    """Measure requests a second and latencies of both doors, in one run."""
    numbers = [int(number) for number in clients.split(",")]
    columns = ("door", "clients", "requests/s", "p50 ms", "p99 ms", "door's CPU µs", "generator's CPU µs")
    table = Table(*columns, title="connect webhooks")
    with own_kafka() as bootstrap, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        TopicAdmin({"bootstrap.servers": bootstrap, "log_level": 0}).create(topics())
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "CXONE_WEBHOOK_SECRETS": SECRET,
            "WEBHOOKS_PORT": "0",
            "LOG_LEVEL": "warning",
        }
        with ExitStack() as doors:
            ports, figures = {}, {}
            for instance, (door, command) in enumerate(DOORS.items()):
                process = doors.enter_context(
                    Process([sys.executable, *command], settings | {"WEBHOOKS_INSTANCE": str(instance)})
                )
                ports[door] = int(str(process.ready(60)["http"]).rpartition(":")[2])
                figures[door] = Figures(process, door, table, runner)
                runner.run(closed_loop(ports[door], 64, KAFKA_WARM_UP))
            last = {}
            for number in numbers:
                for door, port in ports.items():
                    last[door] = figures[door].measure(str(number), closed_loop(port, number, seconds))
            requests, commits = runner.run(in_turns(ports[SHARED], bootstrap, seconds))
            figures[SHARED].row("in turns: a request", "1", requests, 1 / mean(requests))
            figures[SHARED].row("in turns: one commit", "1", commits, 1 / mean(commits))
            figures[SHARED].measure(f"{rate:g}/s", open_loop(ports[SHARED], rate, seconds))
    console = Console()
    console.width = max(console.width, 120)
    console.print(table)
    times = last[SHARED] / last[LONE]
    console.print(f"{numbers[-1]} clients: {times:.1f} times; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    typer.run(main)
