"""Interactions at a steady rate: how soon an event is in its hour's row.

Frames are the simulator's, written to the raw topic as `connect interactions` writes them. Rows are published at once
(STREAMS_PUBLISH_INTERVAL=0), first with a worker for each stage, then with one worker for both.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any

from confluent_kafka import Producer

from benchmarks import passages
from benchmarks.journeys import Spread
from benchmarks.process import Process, ProcessFailed
from benchmarks.results import HOUR_MS, Window
from benchmarks.topics import Leg, Topics
from connectors.cxone.connection import Frame
from connectors.cxone.dialect import load
from connectors.ingress.interactions import feed
from connectors.ingress.raw_record import outgoing
from connectors.kafka.publisher import DEFAULTS
from connectors.simulator.interactions.traffic import Plan, deliveries
from schemas import topics as contract
from schemas.avro import Codec
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from streams import topology

RATE = 500.0  # events per second
WARM_UP = 25.0  # seconds: a Kafka that has just started compiles itself
FINISHED_WITHIN = 30.0  # seconds from the last frame
POLL_SECONDS = 0.2
STAGES = ("normalise", "percentiles")
LAYOUTS: Mapping[str, Sequence[Sequence[str]]] = {
    "a worker for each stage": [(stage,) for stage in STAGES],
    "one worker": [STAGES],
}
PLAN = Plan(rate=RATE, speedup=1, history=0, campaigns=200, redelivered=0, malformed=0)


@dataclass(frozen=True, slots=True)
class Latency:
    """From the raw topic to the row: from when the frame was given to Kafka until Kafka had its hour's row."""

    layout: str
    events: int
    rate: float
    whole: Spread
    hops: Mapping[str, Spread]
    cpu: Mapping[str, float]  # cores, by process
    load: float  # of the machine, in the last minute of it


def latency(topics: Topics, seconds: float, layout: str) -> Latency:
    """Write frames for so long, after the first seconds, to the stages in the workers of `layout`.

    Raises WrongResults when an event is not counted once, or the load was not reached.
    """
    groups = [f"cxone-{stage}" for stage in STAGES]
    topics.fresh([ROWS if spec.name == ROWS.name else spec for spec in topology.topics()], groups)
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
        "STREAMS_PUBLISH_INTERVAL": "0",
    }
    with ExitStack() as running:
        workers = {
            f"worker {' '.join(stages)}": running.enter_context(
                Process((sys.executable, "-m", "streams", "worker", *stages), settings)
            )
            for stages in LAYOUTS[layout]
        }
        for process in workers.values():
            process.ready()
        writer = Writer(topics.bootstrap)
        running.callback(writer.stop)
        time.sleep(WARM_UP)
        before, started = _cpu(workers), time.perf_counter()
        time.sleep(seconds)
        after, span, load = _cpu(workers), time.perf_counter() - started, os.getloadavg()[0]
        raw = writer.stop()
        legs = [Leg(groups[0], contract.RAW_INTERACTIONS.name, len(raw)), Leg(groups[1], TYPED.name, len(raw))]
        deadline = time.monotonic() + FINISHED_WITHIN
        while not topics.finished(legs):
            for process in workers.values():
                process.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{layout}: not finished {FINISHED_WITHIN:g} s after the last frame")
            time.sleep(POLL_SECONDS)
    all_of_them = passages.passages(raw, typed(topics), rows(topics))
    measured = passages.warm(all_of_them, after=WARM_UP, seconds=seconds, rate=RATE)
    return Latency(
        layout=layout,
        events=len(measured),
        rate=len(measured) / seconds,
        whole=passages.total(measured),
        hops=passages.hops(measured),
        cpu={name: (after[name] - before[name]) / span for name in workers},
        load=load,
    )


TYPED = contract.INTERACTIONS_COMPLETED
ROWS = replace(contract.CAMPAIGN_HOURLY, config={"message.timestamp.type": "LogAppendTime"})  # else no time of writing


class Writer:
    """Writes frames at `RATE`, from a thread of its own, until it is stopped."""

    def __init__(self, bootstrap: str) -> None:
        self._producer: Any = Producer({**DEFAULTS, "bootstrap.servers": bootstrap, "log_level": 0})
        self._written: dict[str, int] = {}
        self._stopped = Event()
        self._thread = Thread(target=self._write, daemon=True)
        self._thread.start()

    def stop(self) -> Mapping[str, int]:
        """Return when each frame was given to Kafka, by event id, in milliseconds since the epoch."""
        self._stopped.set()
        self._thread.join()
        self._producer.flush()
        return self._written

    def _write(self) -> None:
        fed, began = feed(load("v2").interactions.fields.interaction()), time.time()
        for number, delivery in enumerate(deliveries(PLAN, began)):
            if self._stopped.wait(max(0.0, began + delivery.due - time.time())):
                return
            assert delivery.event is not None
            now = time.time_ns() // 1_000_000
            record = outgoing(Frame(delivery.body, "benchmark", number, now), fed)
            self._producer.produce(record.topic, record.value, record.key, headers=list(record.headers), timestamp=now)
            self._producer.poll(0)
            self._written[delivery.event.event_id] = now


def typed(topics: Topics) -> Iterator[tuple[str, Window, int]]:
    """Yield what `passages` takes of them."""
    decode = Codec(FileSchemaIds()).decoder(InteractionCompleted)
    for message in topics.read(TYPED.name):
        event = decode(message.value() or b"")
        at = event.completed_at
        yield event.event_id or "", (event.campaign_id, at - at % HOUR_MS), message.timestamp()[1]


def rows(topics: Topics) -> Iterator[tuple[Window, float, int]]:
    """Yield what `passages` takes of them."""
    decode = Codec(FileSchemaIds()).decoder(CampaignHour)
    for message in topics.read(ROWS.name):
        hour = decode(message.value() or b"")
        yield (hour.campaign_id, hour.hour_start), hour.count, message.timestamp()[1]


def _cpu(processes: Mapping[str, Process]) -> dict[str, float]:
    return {name: process.cpu_seconds for name, process in processes.items()}
