"""The stage as it is put together: its agent on a channel, and an InfluxDB that is a fake."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from faust.types import TP

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.settings import KafkaSettings
from connectors.sinks.influx import Refusal
from schemas.avro import Codec
from schemas.dead_letters import DEAD_DETAIL
from schemas.envelope import Consumed
from schemas.records import CampaignHour, Summary
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY
from streams.core.contract import Chunk
from streams.runtime.app import App, build_app
from streams.runtime.lease import Lease
from streams.runtime.settings import WorkerSettings
from streams.stages.influx.app import assemble
from streams.stages.influx.points import line
from streams.stages.influx.rows import STAGE
from tests.support.fakes import RecordingPublisher

CODEC = Codec(FileSchemaIds())
encode, decode = CODEC.encoder(CampaignHour), CODEC.decoder(CampaignHour)

SUMMARY = Summary(1.0, 2.0, 3.0, 0.0, 4.0, 2.0)
ROW = CampaignHour("sales", 1_795_251_600_000, 3, SUMMARY, SUMMARY, revision=1, final=False, exact=True)


class Consumer:
    """The consumer of an app, as far as it is asked."""

    def __init__(self) -> None:
        self.polled_at = monotonic()
        self.rejoined = 0
        self._unacked_messages: set[Any] = set()  # Faust's stream puts what it hands out here

    def assignment(self) -> set[TP]:
        return {TP(CAMPAIGN_HOURLY.name, 0)}

    def rejoin(self) -> None:
        self.rejoined += 1


@dataclass
class Influx:
    """Takes lines; or says each of `answers` first, one for each request."""

    answers: list[SinkError] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    requests: list[list[str]] = field(default_factory=list)

    async def write(self, lines: Sequence[str]) -> Sequence[Refusal]:
        self.requests.append(list(lines))
        if self.answers:
            raise self.answers.pop(0)
        return self.refused


@dataclass
class Rig:
    """A worker's stage on a channel."""

    folder: Path
    influx: Influx
    lines: int = 100
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)

    def __post_init__(self) -> None:
        worker = WorkerSettings(data_dir=self.folder)
        self.app: App = build_app(STAGE, CAMPAIGN_HOURLY.name, KafkaSettings(), worker)
        self.app.consumer = Consumer()
        self.agent = assemble(
            self.app,
            self.publisher,
            self.influx,
            decode=decode,
            lines=self.lines,
            worker=worker,
            waits=lambda: repeat(0.0),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rig"]:
        async with self.agent.test_context() as channel:
            self.channel = channel
            yield self

    async def put(self, *rows: CampaignHour) -> Any:
        records = [Consumed(offset, encode(row), b"key") for offset, row in enumerate(rows)]
        return (await self.channel.put(Chunk(CAMPAIGN_HOURLY.name, 0, records))).message


async def test_rows_are_acknowledged_when_influxdb_has_them(tmp_path: Path) -> None:
    rows = [replace(ROW, campaign_id=f"campaign-{i}") for i in range(5)]
    async with Rig(tmp_path, Influx(), lines=2).running() as rig:
        message = await rig.put(*rows)
        assert not message.acked

        await rig.app.stage.flush()

        assert message.acked
        assert rig.influx.requests == [[line(row) for row in part] for part in (rows[:2], rows[2:4], rows[4:])]


@pytest.mark.parametrize("error", [Unavailable("no route"), Misconfigured("Check INFLUX_TOKEN.")])
async def test_an_influxdb_that_is_away_is_tried_until_it_answers(tmp_path: Path, error: SinkError) -> None:
    async with Rig(tmp_path, Influx(answers=[error] * 3)).running() as rig:
        message = await rig.put(ROW)
        await rig.app.stage.flush()

        assert message.acked
        assert rig.influx.requests == [[line(ROW)]] * 4
        assert rig.app.stage.blocked is None


async def test_a_refused_line_is_a_dead_letter_and_acknowledged(tmp_path: Path) -> None:
    async with Rig(tmp_path, Influx(refused=[Refusal(0, "field type conflict")])).running() as rig:
        message = await rig.put(ROW)
        await rig.app.stage.flush()

        (letter,) = rig.publisher.records
        assert dict(letter.headers)[DEAD_DETAIL] == b"field type conflict"
        assert message.acked


async def test_a_worker_that_was_suspended_between_two_tries_does_not_try_again(tmp_path: Path) -> None:
    """Its partitions are another's: the point would go over a newer one."""
    now = 0.0

    class Away(Influx):
        async def write(self, lines: Sequence[str]) -> Sequence[Refusal]:
            nonlocal now
            now += 100.0
            return await super().write(lines)

    async with Rig(tmp_path, Away(answers=[Unavailable("no route")])).running() as rig:
        rig.app.lease = Lease(12.0, clock=lambda: now)
        message = await rig.put(ROW)
        await rig.app.stage.flush()

        assert rig.influx.requests == [[line(ROW)]]
        assert not message.acked
        assert rig.app.consumer.rejoined == 1
