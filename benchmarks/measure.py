"""Runs one contender and takes its figures: from cold to its first record, and through a backlog.

A worker begins to work a moment before it can say that it is ready. So what a start costs is measured by itself, with
one record to read, and taken off what a backlog costs.
"""

import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from confluent_kafka import KafkaException

from benchmarks.contenders import Contender
from benchmarks.process import Process, ProcessFailed
from benchmarks.results import Rows, Truth, Window, require_equal
from benchmarks.topics import Topics
from connectors.simulator.influx.endpoints import InfluxAccount

PARTITIONS = 12
POLL_SECONDS = 0.1
BATCH = 5_000
SILENCE_SECONDS = 60.0  # everybody publishes about once a second: who is silent for so long is stuck
SETTLE_SECONDS = 3.0  # stock Faust commits before it publishes: let it
FIELDS = ("count", "p50_handle", "p90_handle", "p95_handle", "p50_wait", "p90_wait", "p95_wait")


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start. Seconds from the start of the process; `cpu` until it said that it was ready."""

    name: str
    job: str
    broker: str
    ready: float
    first_output: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """One backlog, its results compared with the batch. Seconds without what a start takes."""

    name: str
    job: str
    events: int
    wall: float
    cpu: float
    start_cpu: float
    peak_mb: float

    @property
    def per_cpu_second(self) -> float:
        return self.events / self.cpu

    @property
    def per_second(self) -> float:
        return self.events / self.wall


@dataclass(frozen=True, slots=True)
class Sink:
    """A stand-in InfluxDB."""

    url: str
    points_url: str

    def settings(self) -> dict[str, str]:
        account = InfluxAccount()
        return {
            "INFLUX_URL": self.url,
            "INFLUX_TOKEN": account.token,
            "INFLUX_ORG": account.org,
            "INFLUX_BUCKET": account.bucket,
        }

    def rows(self) -> Rows:
        """Return the points that it keeps."""
        with urllib.request.urlopen(self.points_url) as answer:
            points = json.load(answer)
        return {
            (unquote(point["tags"]["campaign_id"]), point["time"] // 10**6): tuple(map(point["fields"].get, FIELDS))
            for point in points
        }


class Counted:
    """What a contender has counted so far, by what it published last of each window."""

    def __init__(self, contender: Contender, outputs: Any) -> None:
        self._contender, self._outputs = contender, outputs
        self._counts: dict[Window, float] = {}
        self._heard = time.monotonic()

    def all_of(self, events: int) -> bool:
        """Read on, for up to POLL_SECONDS, and tell whether these are all."""
        for message in self._outputs.consume(BATCH, POLL_SECONDS):
            if message.error() is not None:
                raise KafkaException(message.error())
            window, row = self._contender.row(message)
            self._counts[window] = row[0]
            self._heard = time.monotonic()
        return sum(self._counts.values()) >= events

    @property
    def silent_for(self) -> float:
        """Seconds since it published something."""
        return time.monotonic() - self._heard

    def __str__(self) -> str:
        return f"{sum(self._counts.values()):,.0f}"


@contextmanager
def sink(contender: Contender) -> Iterator[Sink | None]:
    """Run the simulator, for its InfluxDB, if the contender writes to one."""
    if not contender.sinks:
        yield None
        return
    with Process((sys.executable, "-m", "streams", "simulate", "--count", "1", "--rate", "0.1"), {}) as simulator:
        addresses = simulator.ready()
        yield Sink(addresses["influx_url"], addresses["points_url"])


def start(contender: Contender, topics: Topics, broker: str) -> Start:
    """Start it on topics that are empty but for one record, until its first output."""
    topics.publish(iter([contender.sample]))
    with (
        sink(contender) as influx,
        closing(topics.follow(contender.results.name)) as outputs,
        Process(contender.command, _settings(topics, influx)) as process,
    ):
        process.ready()
        ready, cpu = process.seconds, process.cpu_seconds
        while outputs.poll(POLL_SECONDS) is None:
            process.check()
        return Start(contender.name, contender.job, broker, ready, process.seconds, cpu)


def run(contender: Contender, topics: Topics, truth: Truth, starts: Sequence[Start]) -> Run:
    """Let it work off its input. Raises WrongResults unless it published what the batch computed.

    It has finished when every event is counted in what it published, and all is committed that it commits as it goes.
    """
    start_seconds = statistics.median(start.ready for start in starts)
    start_cpu = statistics.median(start.cpu for start in starts)
    with (
        sink(contender) as influx,
        closing(topics.follow(contender.results.name)) as outputs,
        Process(contender.command, _settings(topics, influx)) as process,
    ):
        process.ready()
        counted = Counted(contender, outputs)
        while not (counted.all_of(truth.events) and topics.finished(contender.legs)):
            process.check()
            if counted.silent_for > SILENCE_SECONDS:
                raise ProcessFailed(f"{process} is stuck: it has counted {counted} of {truth.events:,} events")
        wall, cpu, peak_mb = process.seconds - start_seconds, process.cpu_seconds - start_cpu, process.peak_mb
        time.sleep(SETTLE_SECONDS)
        expected, of = truth.rows(), f"{contender.name}, {contender.job}"
        require_equal(expected, contender.rows(topics.read(contender.results.name)), of=of)
        if influx is not None:
            require_equal(expected, influx.rows(), of=f"{of}, points in InfluxDB")
    return Run(contender.name, contender.job, truth.events, wall, cpu, start_cpu, peak_mb)


def _settings(topics: Topics, influx: Sink | None) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
        "PARTITIONS": str(PARTITIONS),
        **(influx.settings() if influx is not None else {}),
    }
