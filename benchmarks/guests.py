"""Guests of web messaging: how soon a message is routed, and how many calls a second one routing worker makes."""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import journeys
from benchmarks.journeys import Spread
from benchmarks.process import Process, ProcessFailed
from benchmarks.results import WrongResults
from benchmarks.topics import Leg, Topics
from connectors.simulator.cxone.tokens import CxoneAccount
from connectors.simulator.server import Addresses
from schemas import topics as contract
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION, Outgoing
from schemas.records import GuestMessage, RoutingResult
from schemas.releases import FileSchemaIds
from streams import topology

RATE = 200.0  # messages per second
GUESTS = 2_000  # six messages a minute each: nobody is throttled
WARM_UP = 45.0  # seconds: for the first half minute Kafka is busy compiling itself
OPENING = 5.0  # seconds for their sockets, and for the last messages

CONCURRENCY = 100
ANSWER_SECONDS = 0.05
POSSIBLE = CONCURRENCY / ANSWER_SECONDS  # calls per second
CONVERSATIONS = 5_000
MEASURED = (0.15, 0.9)  # of the calls: between the start and the tail
SLOWEST = 50  # calls per second: slower than this is stuck
POLL_SECONDS = 0.25

STAGES = ("messages", "rate-limit", "routing")
GROUPS = [f"cxone-{stage}" for stage in STAGES]
LAYOUTS: Mapping[str, Sequence[Sequence[str]]] = {
    "a worker for each stage": [(stage,) for stage in STAGES],
    "one worker": [STAGES],
}

_STREAMS = (sys.executable, "-m", "streams")


@dataclass(frozen=True, slots=True)
class Latency:
    """From the socket to CXone's answer. `written` begins with the writing of the frame, and ends with the call."""

    layout: str
    messages: int
    rate: float
    received: Spread
    written: Spread
    hops: Mapping[str, Spread]
    cpu: Mapping[str, float]  # cores, by process
    load: float  # of the machine, in the last minute of it


@dataclass(frozen=True, slots=True)
class Sustained:
    """A backlog of calls. CPU milliseconds a call, by process."""

    calls: int
    per_second: float
    cpu: Mapping[str, float]
    load: float

    @property
    def share(self) -> float:
        return self.per_second / POSSIBLE


@dataclass(frozen=True, slots=True)
class Simulator:
    """The stand-in CXone."""

    process: Process
    addresses: Addresses

    def routing(self) -> dict[str, Any]:
        """Return the counts of its routing API. Raises WrongResults if it took a message twice."""
        with urllib.request.urlopen(self.addresses.routing_ledger_url) as answer:
            counts: dict[str, Any] = json.load(answer)
        if counts["repeats"] or set(counts["statuses"]) - {"201"}:
            raise WrongResults(f"the routing API answered {counts['statuses']}, {counts['repeats']} of them repeats")
        return counts

    def rows(self) -> Iterator[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.addresses.routing_ledger_url}/keys") as answer:
            yield from map(json.loads, answer)

    def settings(self, topics: Topics) -> dict[str, str]:
        account = CxoneAccount()
        return {
            "KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap,
            "KAFKA_CREATE_TOPICS": "false",
            "CXONE_CLIENT_ID": account.client_id,
            "CXONE_CLIENT_SECRET": account.client_secret,
            "CXONE_MESSAGING_TOKEN_URL": self.addresses.messaging_token_url,
            "CXONE_MESSAGING_WS_URL": self.addresses.messaging_ws_url,
            "CXONE_MESSAGING_API_URL": self.addresses.routing_url.partition("/api/")[0],
        }


@contextmanager
def simulator(**faults: float) -> Iterator[Simulator]:
    quiet = ("--count", "1", "--rate", "0.1")  # interactions
    with Process((*_STREAMS, "simulate", *quiet, "--faults", json.dumps(faults)), {}) as process:
        yield Simulator(process, Addresses(**process.ready()))


def latency(topics: Topics, seconds: float, layout: str) -> Latency:
    """Let guests write for so long, with their stages in the workers of `layout`; the CRM's is left out.

    Raises WrongResults when a message is routed twice, or the load was not reached.
    """
    topics.fresh(topology.topics(), GROUPS)
    writing = str(2 * seconds + OPENING + WARM_UP + 60)
    crowd = ("guests", "--count", str(GUESTS), "--rate", str(RATE), "--bots", "0", "--seconds", writing)
    with simulator() as cxone, ExitStack() as running:
        settings = cxone.settings(topics)

        def run(*command: str) -> Process:
            return running.enter_context(Process((*_STREAMS, *command), settings))

        workers = {f"worker {' '.join(stages)}": run("worker", *stages) for stages in LAYOUTS[layout]}
        everybody = {**workers, "connector": run("connect", "messaging"), "simulator": cxone.process}
        for process in everybody.values():
            process.ready()
        everybody["guests"] = run(*crowd, "--url", cxone.addresses.guests_url)
        time.sleep(OPENING + WARM_UP)
        before, started = _cpu(everybody), time.perf_counter()
        time.sleep(seconds)
        after, span, load = _cpu(everybody), time.perf_counter() - started, os.getloadavg()[0]
        time.sleep(OPENING)
        for process in everybody.values():
            process.check()
        cxone.routing()
        taken = [(row["taken_at"] - row["seconds"], row["seconds"]) for row in cxone.rows()]
    decode = Codec(FileSchemaIds()).decoder(RoutingResult)
    results = (decode(message.value() or b"") for message in topics.read(contract.ROUTING_RESULTS.name))
    ways = (contract.RAW_MESSAGES, contract.GUEST_MESSAGES, contract.GUEST_ADMITTED)
    all_of_them = journeys.journeys(results, *(journeys.times(topics.read(spec.name)) for spec in ways))
    measured = journeys.warm(all_of_them, after=WARM_UP, seconds=seconds, rate=RATE)
    first, last = measured[0].received / 1000, measured[-1].received / 1000
    return Latency(
        layout=layout,
        messages=len(measured),
        rate=len(measured) / seconds,
        received=journeys.total(measured),
        written=journeys.spread([1000 * took for written, took in taken if first <= written <= last]),
        hops=journeys.hops(measured),
        cpu={name: (after[name] - before[name]) / span for name in everybody},
        load=load,
    )


def sustained(topics: Topics, calls: int) -> Sustained:
    """Let one routing worker work off a backlog of so many messages. Raises WrongResults if one is called twice."""
    topics.fresh(topology.topics(), GROUPS)
    topics.publish(backlog(calls))
    with simulator(routing_seconds=ANSWER_SECONDS) as cxone:
        settings = cxone.settings(topics) | {"ROUTING_CONCURRENCY": str(CONCURRENCY)}
        with Process((*_STREAMS, "worker", "routing"), settings) as worker:
            everybody = {"worker": worker, "simulator": cxone.process}

            def reached(share: float) -> tuple[float, int, dict[str, float]]:
                while (taken := cxone.routing()["taken"]) < share * calls:
                    worker.check()
                    if worker.seconds > 60 + calls / SLOWEST:
                        raise ProcessFailed(f"{worker} has made {taken} calls after {worker.seconds:.0f} s")
                    time.sleep(POLL_SECONDS)
                return time.perf_counter(), taken, _cpu(everybody)

            (started, first, before), (ended, last, after) = map(reached, MEASURED)
            load = os.getloadavg()[0]
            reached(1.0)
            leg = Leg(GROUPS[-1], contract.GUEST_ADMITTED.name, calls)
            while not topics.finished([leg]):
                worker.check()
                time.sleep(POLL_SECONDS)
            made = cxone.routing()["calls"]
    if made != calls:
        raise WrongResults(f"{made} calls were made for {calls} messages")
    cpu = {name: 1000 * (after[name] - before[name]) / (last - first) for name in everybody}
    return Sustained(calls, (last - first) / (ended - started), cpu, load)


def backlog(messages: int) -> Iterator[Outgoing]:
    """Yield admitted messages of 5,000 conversations that go on side by side."""
    encode = Codec(FileSchemaIds()).encoder(GuestMessage)
    make = partial(GuestMessage, queue_id="sales")
    for number in range(messages):
        name, now = str(number % CONVERSATIONS), time.time_ns() // 1_000_000
        message = make(f"e-{number}", f"c-{name}", f"g-{name}", text=f"Hello {number}", sent_at=now, received_at=now)
        position = (SOURCE_POSITION, f"0:{number}".encode())
        yield Outgoing(contract.GUEST_ADMITTED.name, f"c-{name}".encode(), encode(message), (position,))


def _cpu(processes: Mapping[str, Process]) -> dict[str, float]:
    return {name: process.cpu_seconds for name, process in processes.items()}
