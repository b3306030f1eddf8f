"""The stage as it is put together: its agent on a channel, and a real file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import Any

import apsw
import pytest
from faust.types import TP

from connectors.settings import KafkaSettings
from connectors.sinks.sqlite.file import SqliteFile
from connectors.sinks.sqlite.settings import SqliteSettings
from schemas.avro import Codec
from schemas.envelope import Consumed
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import METRICS_SNAPSHOTS
from streams.core.contract import Chunk
from streams.runtime.assembly import declared
from streams.runtime.settings import WorkerSettings
from streams.stages.sqlite.app import Owner, assemble
from streams.stages.sqlite.declaration import DECLARATION
from streams.stages.sqlite.rows import feeds
from tests.support.fakes import RecordingPublisher
from tests.support.minute_rows import ask

CODEC = Codec(FileSchemaIds())
encode = CODEC.encoder(MetricSnapshot)
MINUTE = MetricSnapshot(1_795_694_400_000, "", 5, 4, 61.5, 4.25, 3, revision=1, final=True, exact=True, heard=12)
TOPIC = METRICS_SNAPSHOTS.name


class Consumer:
    """The consumer of an app, as far as it is asked."""

    def __init__(self) -> None:
        self.polled_at = monotonic()
        self.rejoined = 0
        self.owned = {TP(TOPIC, 0)}
        self._unacked_messages: set[Any] = set()  # Faust's stream puts what it hands out here

    def assignment(self) -> set[TP]:
        return self.owned

    def rejoin(self) -> None:
        self.rejoined += 1


@dataclass
class Rig:
    """A worker's stage on a channel."""

    folder: Path
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)

    def __post_init__(self) -> None:
        worker = WorkerSettings(data_dir=self.folder)
        self.path = self.folder / "metrics.db"
        self.file = SqliteFile(SqliteSettings(path=self.path, lock_timeout=0.01))
        self.app = declared(DECLARATION, KafkaSettings(), worker)
        self.consumer = self.app.consumer = Consumer()
        of_topics = feeds(CODEC.decoder(MetricSnapshot), CODEC.decoder(AlertRecord))
        self.agent = assemble(
            self.app, self.publisher, self.file, of_topics=of_topics, worker=worker, waits=lambda: repeat(0.0)
        )
        self.owner: Owner = self.app.kept_positions.__self__  # type: ignore[attr-defined]  # a bound method

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rig"]:
        async with self.agent.test_context() as channel:
            self.channel = channel
            yield self
        await self.file.close()

    async def put(self, *rows: MetricSnapshot, offset: int = 0) -> Any:
        records = [Consumed(offset + n, encode(row)) for n, row in enumerate(rows)]
        return (await self.channel.put(Chunk(TOPIC, 0, records))).message

    def stored(self) -> list[Any]:
        return ask(self.path, "SELECT total_interactions FROM metric_snapshots ORDER BY 1")


@pytest.fixture(name="rig")
async def _rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Rig(tmp_path).running() as rig:
        yield rig


async def test_rows_are_acknowledged_when_the_file_has_them(rig: Rig) -> None:
    assert await rig.app.kept_positions() == {}
    message = await rig.put(MINUTE, replace(MINUTE, queue="q", events=7))

    await rig.app.stage.flush()

    assert message.acked
    assert rig.stored() == [5, 7]
    assert await rig.app.kept_positions() == {(TOPIC, 0): 2}


async def test_what_cannot_be_read_is_a_dead_letter_and_the_file_moves_on(rig: Rig) -> None:
    await rig.app.kept_positions()
    message = (await rig.channel.put(Chunk(TOPIC, 0, [Consumed(3, b"\xff")]))).message

    await rig.app.stage.flush()

    assert message.acked
    assert len(rig.publisher.records) == 1
    assert await rig.app.kept_positions() == {(TOPIC, 0): 4}


async def test_a_lock_is_waited_out_with_red_readiness(rig: Rig) -> None:
    await rig.app.kept_positions()
    other = apsw.Connection(str(rig.path))
    other.execute("BEGIN IMMEDIATE")
    message = await rig.put(MINUTE)
    flushing = asyncio.create_task(rig.app.stage.flush())
    while rig.app.stage.blocked is None:  # noqa: ASYNC110 - a thread of its own sets it
        await asyncio.sleep(0)

    assert "locked by another program" in rig.app.stage.blocked
    assert not message.acked
    other.close()
    await flushing

    assert message.acked
    assert rig.app.stage.blocked is None
    assert rig.stored() == [5]


async def test_a_file_that_was_removed_is_filled_from_the_beginning(rig: Rig) -> None:
    await rig.app.kept_positions()
    await rig.put(MINUTE)
    await rig.app.stage.flush()
    rig.path.unlink()
    message = await rig.put(replace(MINUTE, queue="q"), offset=1)

    await rig.app.stage.flush()

    assert not message.acked
    assert rig.consumer.rejoined == 1
    assert await rig.app.kept_positions() == {}


async def test_a_removed_file_is_noticed_also_while_nothing_comes(rig: Rig) -> None:
    await rig.app.kept_positions()
    rig.app.stage.resume()
    rig.path.unlink()

    await rig.owner.look()

    assert rig.consumer.rejoined == 1


async def test_a_file_that_was_not_there_at_the_start_is_begun_with_when_it_is(rig: Rig) -> None:
    rig.path.mkdir()
    assert await rig.app.kept_positions() is None
    assert "metrics.db" in (rig.app.stage.blocked or "")
    message = await rig.put(MINUTE, offset=100)
    rig.path.rmdir()

    await rig.app.stage.flush()

    assert not message.acked
    assert rig.consumer.rejoined == 1
    assert rig.stored() == []
    assert await rig.app.kept_positions() == {}


async def test_who_has_not_the_only_partition_has_not_the_file(rig: Rig) -> None:
    await rig.app.kept_positions()
    standby = SqliteFile(SqliteSettings(path=rig.path))
    rig.consumer.owned = {TP(TOPIC, 1)}
    assert await rig.app.kept_positions() is None

    await rig.owner.look()

    assert await standby.positions() == {}
    await standby.close()


async def test_a_long_log_is_told_while_writing_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tend() -> str:
        return "metrics.db-wal has 65 MiB"

    await rig.app.kept_positions()
    rig.app.stage.resume()
    monkeypatch.setattr(rig.file, "tend", tend)

    await rig.owner.look()

    assert rig.app.stage.trouble == "metrics.db-wal has 65 MiB"
    assert rig.app.stage.blocked is None
