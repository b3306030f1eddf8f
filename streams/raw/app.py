"""The shell of a stage that reads a raw topic.

At-least-once in; each event id goes out with its source position, so that whoever remembers positions counts it once.
"""

from collections.abc import Mapping
from typing import TypeVar

from connectors.settings import KafkaSettings
from streams.app import App, attach_stateful, build_app, stored
from streams.raw.frames import Event, Frames, Reading
from streams.settings import WorkerSettings
from streams.stage import SEAL_INTERVAL

E = TypeVar("E", bound=Event)


def build(reading: Reading[E], kafka: KafkaSettings, worker: WorkerSettings) -> App:
    """Make the app of the stage that `reading` describes."""
    app = build_app(reading.stage, reading.source, kafka, worker)
    horizon = int(worker.dedupe_horizon * 1000)

    def core(partition: int, stored: Mapping[bytes, bytes]) -> Frames[E]:
        return Frames(partition, stored, horizon=horizon, reading=reading)

    state = stored(app, "seen", kafka)
    attach_stateful(
        app, reading.stage, state, core, interval=SEAL_INTERVAL, eager=True, refusals=worker.dead_letter_share
    )
    return app
