"""The stage as it is put together: its agent on a channel, and a folder on the disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from faust.types import TP

from connectors.errors import ConfigurationError, Unavailable
from connectors.settings import KafkaSettings
from connectors.sinks.audit_files import AuditFolder
from schemas.envelope import Consumed
from schemas.records.audit import AuditEntry
from schemas.topics.audit import DASHBOARD_AUDIT, DASHBOARD_AUDIT_HEADS
from streams.core.audit.files_check import check_files
from streams.core.audit.findings import Report
from streams.core.audit.journal import AlteredError, Journal
from streams.core.contract import Chunk
from streams.runtime.app import App, build_app
from streams.runtime.errors import WithdrawnError
from streams.runtime.settings import WorkerSettings
from streams.stages.audit.app import Mirror, assemble, build, newest, repair
from streams.stages.audit.entries import STAGE
from tests.support.audit_trail import KEYS, PRIVATE, SIGN, START, entries, opened
from tests.support.fakes import RecordingPublisher


class Consumer:
    """The consumer of an app, as far as it is asked."""

    def __init__(self) -> None:
        self.polled_at = monotonic()
        self._unacked_messages: set[Any] = set()  # Faust's stream puts what it hands out here

    def assignment(self) -> set[TP]:
        return {TP(DASHBOARD_AUDIT.name, 0)}


class FullDisk(AuditFolder):
    """Refuses so many writes first."""

    def __init__(self, path: Path, times: int) -> None:
        super().__init__(path)
        self.times = times

    async def append(self, name: str, data: bytes) -> None:
        if self.times:
            self.times -= 1
            raise Unavailable("no space left on device")
        await super().append(name, data)


@dataclass
class Rig:
    """A worker's stage on a channel."""

    path: Path
    full: int = 0
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)
    now: float = START / 1000

    def __post_init__(self) -> None:
        worker = WorkerSettings(data_dir=self.path / "data")
        folder = FullDisk(self.path / "audit", self.full)
        self.app: App = build_app(STAGE, DASHBOARD_AUDIT.name, KafkaSettings(), worker)
        self.app.consumer = Consumer()
        self.mirror = Mirror(folder, lambda: Journal(SIGN, newest(folder), KEYS), now=lambda: self.now)
        repair(folder)
        self.agent = assemble(
            self.app,
            self.publisher,
            self.mirror,
            decode=msgspec.json.Decoder(AuditEntry).decode,
            encode=msgspec.json.encode,
            worker=worker,
            waits=lambda: repeat(0.0),
            now=lambda: self.now,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rig"]:
        async with self.agent.test_context() as channel:
            self.channel = channel
            yield self
        await self.mirror.close()

    async def put(self, *made: AuditEntry) -> Any:
        records = [Consumed(offset, msgspec.json.encode(entry), b"d") for offset, entry in enumerate(made)]
        return (await self.channel.put(Chunk(DASHBOARD_AUDIT.name, 0, records))).message

    def check(self) -> Report:
        files = {path.name: path.read_bytes() for path in (self.path / "audit").glob("*.jsonl")}
        return check_files(opened(files), KEYS)


async def test_entries_are_acknowledged_when_they_are_on_the_disk(tmp_path: Path) -> None:
    async with Rig(tmp_path).running() as rig:
        message = await rig.put(*entries(3, partitions=1))
        assert not message.acked

        await rig.app.stage.flush()

        assert message.acked
        assert (rig.check().findings, rig.check().entries) == ([], 3)


async def test_a_head_goes_to_the_file_and_to_the_topic_each_minute(tmp_path: Path) -> None:
    async with Rig(tmp_path).running() as rig:
        await rig.put(*entries(2, partitions=1))
        await rig.app.stage.flush()
        assert rig.check().unsigned == 2

        rig.now += 60
        await rig.app.stage.flush()
        await rig.app.stage.flush()

        assert rig.check().unsigned == 0
        assert [record.topic for record in rig.publisher.records] == [DASHBOARD_AUDIT_HEADS.name] * 2


async def test_a_worker_that_stops_signs_what_it_has_written(tmp_path: Path) -> None:
    async with Rig(tmp_path).running() as rig:
        await rig.put(*entries(2, partitions=1))
        await rig.app.stage.flush()

    assert rig.check().unsigned == 0


async def test_the_next_worker_goes_on_and_writes_nothing_twice(tmp_path: Path) -> None:
    made = entries(5, partitions=1)
    for until in (3, 5):
        async with Rig(tmp_path).running() as rig:
            await rig.put(*made[:until])
            await rig.app.stage.flush()

    report = rig.check()
    assert (report.findings, report.entries, report.repeated) == ([], 5, 0)


async def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    async with Rig(tmp_path, full=3).running() as rig:
        message = await rig.put(*entries(2, partitions=1))
        await rig.app.stage.flush()

        assert message.acked
        assert rig.app.stage.blocked is None
        assert rig.check().entries == 2


async def test_what_was_not_written_when_partitions_went_is_forgotten(tmp_path: Path) -> None:
    made = entries(2, partitions=1)
    async with Rig(tmp_path, full=10**9).running() as rig:
        message = await rig.put(*made)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rig.app.stage, "pause", _withdrawn)
            await rig.app.stage.flush()

        assert not message.acked
        assert rig.app.stage.blocked == "unavailable: no space left on device"
        assert rig.mirror.journal.tips == {}


async def _withdrawn(seconds: float) -> None:
    raise WithdrawnError


def test_a_day_that_is_gone_while_its_heads_are_there_is_found(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    (tmp_path / "dashboard_audit_20260101.heads.jsonl").write_bytes(b"{}\n")

    with pytest.raises(AlteredError):
        newest(folder)


def test_a_worker_without_a_key_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="cxone-streams audit key"):
        build()

    (tmp_path / "key.pem").write_bytes(b"secret nonsense")
    monkeypatch.setenv("AUDIT_KEY", "key.pem")
    with pytest.raises(ConfigurationError, match="AUDIT_KEY") as error:
        build()
    assert "secret" not in str(error.value)
    assert PRIVATE.decode() not in str(error.value)
