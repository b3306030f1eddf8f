"""The end of a recovery: Faust's own code, with a consumer that only writes down."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from connectors.settings import KafkaSettings
from streams.runtime.app import App, build_app
from streams.runtime.assembly import attach
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage
from tests.support.echo_stage import Echo

GENERATION = 5


class Consumer:
    """Notes whether records would be delivered at each step of what Faust asks for."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.steps: list[tuple[str, bool]] = []

    def assignment(self) -> set[TP]:
        return {TP("source", 0)}

    def resume_partitions(self, tps: set[TP]) -> None:
        self.note("resume partitions")

    def resume_flow(self) -> None:
        self.note("resume flow")

    async def perform_seek(self) -> None:
        self.note("seek")

    def note(self, step: str) -> None:
        self.steps.append((step, self.app.recovered))


class Fetcher:
    async def maybe_start(self) -> None: ...


@pytest.fixture(name="app")
def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    app = build_app("echo", "source", KafkaSettings(), WorkerSettings(data_dir=tmp_path))

    async def deliver(_: Any) -> None: ...

    attach(app, Stage("echo", load=lambda: {0: {}}, core=Echo, deliver=deliver, interval=1.0))
    app.consumer = Consumer(app)
    app.consumer_generation_id = GENERATION
    app.stage.begin(GENERATION)

    monkeypatch.setattr(type(app), "_fetcher", Fetcher())
    resume = app.flow_control.resume

    def noted() -> None:
        app.consumer.note("empty the queue and resume")
        resume()

    monkeypatch.setattr(app.flow_control, "resume", noted)
    return app


@pytest.mark.parametrize("end", ["on_recovery_completed", "_resume_streams"])
async def test_nothing_is_delivered_before_the_queue_was_emptied_for_the_last_time(app: App, end: str) -> None:
    await getattr(app.tables.recovery, end)(GENERATION)

    assert ("empty the queue and resume", False) in app.consumer.steps
    assert not any(recovered for _, recovered in app.consumer.steps)
    assert app.recovered
    assert app.stage.cores


async def test_the_recovery_of_a_generation_that_has_passed_says_nothing_of_this_one(app: App) -> None:
    await app.tables.recovery.on_recovery_completed(GENERATION - 1)

    assert not app.recovered
    assert not app.stage.cores


async def test_a_recovery_that_ends_after_its_partitions_went_revives_nothing(app: App) -> None:
    ending, seek = asyncio.Event(), app.consumer.perform_seek

    async def slowly() -> None:
        await ending.wait()
        await seek()

    app.consumer.perform_seek = slowly
    recovering = asyncio.create_task(app.tables.recovery.on_recovery_completed(GENERATION))
    await asyncio.sleep(0)
    app.on_rebalance_start()
    await app.drain()
    ending.set()
    await recovering

    assert not app.recovered
    assert not app.stage.cores
    assert not app.stage.ownership.may_write
