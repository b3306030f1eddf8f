"""A worker whose stage has a bug: it raises at the value `poison`. Usage: poisoned_worker.py STAGE TOPIC."""

import asyncio
import sys
from collections.abc import Mapping

from connectors import logs
from connectors.settings import KafkaSettings, load
from streams.core.contract import Chunk, Flush
from streams.programs.worker import run
from streams.runtime.app import build_app
from streams.runtime.assembly import attach
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage


class Poisoned:
    def __init__(self, partition: int, stored: Mapping[bytes, bytes]) -> None: ...

    def fold(self, chunk: Chunk) -> int:
        for record in chunk.records:
            if record.value == b"poison":
                raise RuntimeError("a bug meets its record")
        return 0

    def flush(self, now: float, /, *, seal: bool) -> Flush:
        return Flush()


async def deliver(flushes: Mapping[int, Flush]) -> None: ...


async def main(stage: str, topic: str) -> int:
    logs.configure()
    settings = load(WorkerSettings)
    app = build_app(stage, topic, load(KafkaSettings), settings)
    attach(app, Stage(stage, load=dict, core=Poisoned, deliver=deliver, interval=0.1))
    return await run([app], settings)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
