"""What is measured: our stages and stock Faust, with the whole slice and with the percentiles alone."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
from confluent_kafka import Message
from msgspec import structs

from benchmarks.results import Row, Rows, Window
from benchmarks.topics import Leg
from benchmarks.traffic import frames
from schemas import topics
from schemas.avro import Codec
from schemas.envelope import SOURCE_POSITION, Outgoing
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import TopicSpec
from streams import topology

PERCENTILES, SLICE, SINK = "percentiles", "slice", "slice + InfluxDB"
OURS, STOCK = "cxone-streams", "stock Faust"


def _stock(name: str, record: str) -> TopicSpec:
    return TopicSpec(name=name, key="", record=record)


STOCK_RAW = _stock("stock.raw", "frames")
STOCK_COMPLETED = _stock("stock.completed", "JSON")
STOCK_HOURLY = _stock("stock.hourly", "JSON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One program doing one job.

    `legs` are what must be committed when it has finished, in flow order. `writes` are made empty before it runs.
    `row` reads one record of the topic `results`.
    """

    name: str
    job: str
    command: tuple[str, ...]
    input: TopicSpec
    legs: tuple[Leg, ...]
    writes: tuple[TopicSpec, ...]
    results: TopicSpec
    row: Callable[[Message], tuple[Window, Row]]
    sample: Outgoing  # one record for its input
    sinks: bool = False  # into InfluxDB

    @property
    def groups(self) -> list[str]:
        return [leg.group for leg in self.legs]

    def rows(self, messages: Iterable[Message]) -> Rows:
        """Return what it published last of each window."""
        return dict(self.row(message) for message in messages)


def contenders(events: int, stock_events: int) -> list[Contender]:
    """Return them in the order of a round: the slice leaves behind what the percentiles alone then read."""
    with_sink = _our_slice(events, SINK, "normalise", "percentiles", "influx")
    plain = _our_slice(events, SLICE, "normalise", "percentiles")
    return [with_sink, plain, _stock_slice(stock_events), _our_percentiles(), _stock_percentiles()]


_WORKER = (sys.executable, "-m", "streams", "worker")
_STOCK = (sys.executable, str(Path(__file__).with_name("stock_faust.py")))
RAW_SAMPLE = Outgoing(topics.RAW_INTERACTIONS.name, b"event-1", next(frames(1)).body)
_SAMPLE_EVENT = InteractionCompleted("event-1", "campaign-001", 312.0, 45.0, 1_768_471_200_250)


def _our_slice(events: int, job: str, *stages: str) -> Contender:
    """All stages in one worker process, as stock Faust has its agents."""
    return Contender(
        name=OURS,
        job=job,
        command=(*_WORKER, *stages),
        input=topics.RAW_INTERACTIONS,
        legs=(
            Leg("cxone-normalise", topics.RAW_INTERACTIONS.name),
            Leg("cxone-percentiles", topics.INTERACTIONS_COMPLETED.name, events),
            *([Leg("cxone-influx", topics.CAMPAIGN_HOURLY.name)] if job == SINK else []),
        ),
        writes=tuple(spec for spec in topology.topics() if spec.name != topics.RAW_INTERACTIONS.name),
        results=topics.CAMPAIGN_HOURLY,
        row=_our_row,
        sample=RAW_SAMPLE,
        sinks=job == SINK,
    )


def _our_percentiles() -> Contender:
    position = ((SOURCE_POSITION, b"0:0"),)
    value = Codec(FileSchemaIds()).encoder(InteractionCompleted)(_SAMPLE_EVENT)
    return Contender(
        name=OURS,
        job=PERCENTILES,
        command=(*_WORKER, "percentiles"),
        input=topics.INTERACTIONS_COMPLETED,
        legs=(Leg("cxone-percentiles", topics.INTERACTIONS_COMPLETED.name),),
        writes=tuple(
            spec for spec in topology.of_stage("percentiles") if spec.name != topics.INTERACTIONS_COMPLETED.name
        ),
        results=topics.CAMPAIGN_HOURLY,
        row=_our_row,
        sample=Outgoing(topics.INTERACTIONS_COMPLETED.name, b"campaign-001", value, position),
    )


def _stock_slice(events: int) -> Contender:
    return Contender(
        name=STOCK,
        job=SLICE,
        command=(*_STOCK, SLICE),
        input=STOCK_RAW,
        legs=(Leg("stock-slice", STOCK_RAW.name), Leg("stock-slice", STOCK_COMPLETED.name, events)),
        writes=(
            _stock("stock-slice-seen-changelog", "event ids"),
            _stock("stock-slice-windows-changelog", "windows"),
            STOCK_COMPLETED,
            STOCK_HOURLY,
        ),
        results=STOCK_HOURLY,
        row=stock_row,
        sample=Outgoing(STOCK_RAW.name, b"event-1", next(frames(1)).body),
    )


def _stock_percentiles() -> Contender:
    value = structs.asdict(_SAMPLE_EVENT)
    return Contender(
        name=STOCK,
        job=PERCENTILES,
        command=(*_STOCK, PERCENTILES),
        input=STOCK_COMPLETED,
        legs=(Leg("stock-percentiles", STOCK_COMPLETED.name),),
        writes=(_stock("stock-percentiles-windows-changelog", "windows"), STOCK_HOURLY),
        results=STOCK_HOURLY,
        row=stock_row,
        sample=Outgoing(STOCK_COMPLETED.name, b"campaign-001", orjson.dumps(value)),
    )


_decode = Codec(FileSchemaIds()).decoder(CampaignHour)


def _our_row(message: Message) -> tuple[Window, Row]:
    hour = _decode(message.value() or b"")
    handle, wait = hour.handle, hour.wait
    row = (hour.count, handle.p50, handle.p90, handle.p95, wait.p50, wait.p90, wait.p95)
    return (hour.campaign_id, hour.hour_start), row


def stock_row(message: Message) -> tuple[Window, Row]:
    campaign, _, hour = (message.key() or b"").decode().rpartition("|")
    return (campaign, int(hour)), tuple(orjson.loads(message.value() or b""))
