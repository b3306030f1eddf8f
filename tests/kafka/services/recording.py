"""A stage that writes down what it is given, in this process, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.settings import KafkaSettings
from streams.core.contract import Chunk, Flush
from streams.runtime.app import App, build_app
from streams.runtime.assembly import attach
from streams.runtime.settings import WorkerSettings
from streams.runtime.stage import Stage


class Life:
    """What one core was given, from a partition's assignment until it went."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.chunks: list[Chunk] = []

    def fold(self, chunk: Chunk) -> int:
        assert chunk.partition == self.partition
        self.chunks.append(chunk)
        return 0

    def flush(self, now: float, /, *, seal: bool) -> Flush:
        return Flush()

    @property
    def offsets(self) -> list[int]:
        return [record.offset for chunk in self.chunks for record in chunk.records]

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for chunk in self.chunks for record in chunk.records]


class Recording:
    """A worker of the stage `name`; `lives` are its cores so far, in the order in which they began."""

    def __init__(self, name: str, kafka: str, topic: str, folder: Path) -> None:
        self.topic = topic
        self.lives: list[Life] = []
        self.settled = asyncio.Event()  # until then a drain waits
        self.settled.set()
        worker = WorkerSettings(data_dir=folder, session_timeout=60)
        self.app: App = build_app(name, topic, KafkaSettings(bootstrap_servers=kafka), worker)
        stage = Stage(name, load=dict, core=self._core, deliver=self._deliver, settle=self._settle, interval=0.1)
        attach(self.app, stage)

    def _core(self, partition: int, stored: Mapping[bytes, bytes]) -> Life:
        self.lives.append(Life(partition))
        return self.lives[-1]

    async def _deliver(self, flushes: Mapping[int, Flush]) -> None: ...

    async def _settle(self) -> None:
        await self.settled.wait()

    @property
    def rejoins(self) -> bool:
        """Whether the group has told this worker of a rebalance, and its partitions have not come yet."""
        return bool(self.app.consumer._thread._consumer._subscription.reassignment_in_progress)

    @property
    def group(self) -> str:
        return str(self.app.conf.id)

    def values(self) -> list[bytes | None]:
        return [value for life in self.lives for value in life.values]

    def offsets(self) -> list[int]:
        return [offset for life in self.lives for offset in life.offsets]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Recording"]:
        """Run until the end of the block; then stop in order."""
        await self.app.start()
        try:
            await eventually(lambda: self.app.why_not_ready() is None, self.app.why_not_ready)
            yield self
        finally:
            await self.app.stop()


async def eventually(true: Callable[[], Any], instead: Callable[[], object] = str, within: float = 60) -> None:
    """Wait until `true()`; fail with what `instead()` says."""
    deadline = asyncio.get_running_loop().time() + within
    while not true():
        assert asyncio.get_running_loop().time() < deadline, f"not within {within:g} s: {instead()}"
        await asyncio.sleep(0.05)
