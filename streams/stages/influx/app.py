"""cxone.campaign.hourly -> influx -> InfluxDB, dead letters.

At-least-once into upserts (measurement, campaign, hour): repeating a write changes nothing. A row is acknowledged when
InfluxDB has it, or has refused it and it is a dead letter. Ordered per campaign and hour.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from connectors.kafka.publisher import KafkaPublisher, Publisher
from connectors.retry import delays
from connectors.settings import InfluxSettings, KafkaSettings, load
from connectors.sinks.influx import InfluxWriter, Refusal
from connectors.sinks.until_answered import until_answered
from schemas.records import CampaignHour
from streams.runtime.app import App
from streams.runtime.assembly import attach, declared
from streams.runtime.refusal_limit import RefusalLimit
from streams.runtime.schemas import StageCodec
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from streams.stages.influx.declaration import DECLARATION
from streams.stages.influx.rows import STAGE, Points, Rows

FLUSH_INTERVAL = 1.0  # seconds a row waits for others to go with


class Writer(Protocol):
    """What the stage needs of `connectors.sinks.influx.InfluxWriter`."""

    async def write(self, lines: Sequence[str]) -> Sequence[Refusal]: ...


def build() -> App:
    """Make the stage from the environment. Raises ConfigurationError."""
    kafka, worker, influx = load(KafkaSettings), load(WorkerSettings), load(InfluxSettings)
    codec = StageCodec.from_settings()
    decode = codec.decoder(CampaignHour)
    app = declared(DECLARATION, kafka, worker, codec)
    publisher = app.using(KafkaPublisher(kafka.librdkafka()))
    writer = app.using(InfluxWriter(influx))
    assemble(app, publisher, writer, decode=decode, lines=influx.batch_lines, worker=worker)
    return app


def assemble(  # noqa: PLR0913 - a composition point
    app: App,
    publisher: Publisher,
    writer: Writer,
    *,
    decode: Callable[[bytes], CampaignHour],
    lines: int,
    worker: WorkerSettings,
    waits: Callable[[], Iterator[float]] = delays,
) -> Any:
    """Give the app its stage, which writes `lines` at a time; return the agent."""
    limit = RefusalLimit(worker.dead_letter_share, f"what {STAGE} writes")

    def on_state(state: str) -> None:
        stage.blocked = None if state == "ok" else state

    async def deliver(flushes: Mapping[int, Points]) -> None:
        points = [point for flush in flushes.values() for point in flush.points]
        dead = [output for flush in flushes.values() for output in flush.outputs]
        for i in range(0, len(points), lines):
            batch = points[i : i + lines]
            app.lease.check()
            write = partial(writer.write, [point.line for point in batch])
            refused = await until_answered(write, delays=waits(), sleep=app.pause, on_state=on_state)
            limit.note(len(batch), len(refused))
            dead += (batch[refusal.index].refused(refusal.reason) for refusal in refused)
        await publisher.publish(dead)

    stage = Stage(
        STAGE,
        load=dict,
        core=lambda partition, _stored: Rows(partition, decode=decode),
        deliver=deliver,
        interval=FLUSH_INTERVAL,
        refusals=worker.dead_letter_share,
        rejoin=app.rejoin,
    )
    return attach(app, stage)
