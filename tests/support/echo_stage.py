"""A stage with nothing to it, its stream, and a place that takes what it delivers: for tests of the shell."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from schemas.envelope import Consumed, Outgoing
from streams.core.contract import Change, Chunk, Flush
from streams.runtime.stage import Stage

GENERATION = 3


@dataclass
class Message:
    value: Chunk | None
    generation_id: int = GENERATION


@dataclass
class Event:
    """What Faust hands out: one chunk, to be acknowledged."""

    value: Chunk | None
    message: Message
    acknowledged: bool = False

    def ack(self) -> None:
        self.acknowledged = True


class Stream:
    """A stream that ends when it is closed."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, *records: Consumed, partition: int = 0, generation: int = GENERATION, number: int = 0) -> Event:
        chunk = Chunk("source", partition, records, number)
        event = Event(chunk, Message(chunk, generation))
        self._events.put_nowait(event)
        return event

    def close(self) -> None:
        self._events.put_nowait(None)

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event


class Echo:
    """A core that puts out what it folded, and seals how much that was. A record without value is refused."""

    def __init__(self, partition: int, stored: Mapping[bytes, bytes]) -> None:
        self.partition, self.stored = partition, stored
        self.outputs: list[Outgoing] = []
        self.folded = 0

    def fold(self, chunk: Chunk) -> int:
        assert chunk.partition == self.partition
        self.outputs += [Outgoing("out", None, record.value) for record in chunk.records]
        self.folded += len(chunk.records)
        return sum(record.value is None for record in chunk.records)

    def flush(self, now: float, *, seal: bool) -> Flush:
        flush = Flush(outputs=self.outputs)
        if seal and self.folded:
            flush.seal = [Change(b"", b"%d at %d" % (self.folded, now))]
            self.folded = 0
        self.outputs = []
        return flush


@dataclass
class Rig:
    """A stage, its stream, and a place that takes what it delivers."""

    interval: float = 1.0
    eager: bool = False
    apart: bool = False
    refusals: float = 1.0
    stored: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    delivered: list[tuple[float, dict[int, Flush]]] = field(default_factory=list)
    failure: Exception | None = None
    stuck: int | None = None  # the only partition that waits until `open`
    rejoined: int = 0
    loads: int = 0

    def __post_init__(self) -> None:
        self.stream = Stream()
        self.open = asyncio.Event()  # whoever takes what is delivered takes it now
        self.open.set()
        self.stage: Stage[Flush] = Stage(
            "echo",
            load=self.load,
            core=Echo,
            deliver=self.deliver,
            interval=self.interval,
            eager=self.eager,
            apart=self.apart,
            refusals=self.refusals,
            rejoin=self.rejoin,
            now=lambda: 1000 + asyncio.get_running_loop().time(),
        )

    def load(self) -> dict[int, dict[bytes, bytes]]:
        self.loads += 1
        return self.stored

    def rejoin(self) -> None:
        self.rejoined += 1

    async def deliver(self, flushes: Mapping[int, Flush]) -> None:
        if self.stuck is None or self.stuck in flushes:
            await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.delivered.append((asyncio.get_running_loop().time(), dict(flushes)))

    async def fold(self, *chunks: tuple[Consumed, ...]) -> list[Event]:
        """Let the stage fold chunks, and no more."""
        events = [self.stream.put(*records) for records in chunks]
        self.stream.close()
        await self.stage.run(self.stream)
        return events

    def values(self) -> list[bytes | None]:
        return [output.value for _, flushes in self.delivered for flush in flushes.values() for output in flush.outputs]

    def times(self) -> list[float]:
        return [round(at, 3) for at, _ in self.delivered]


def record(value: bytes | None = b"x") -> Consumed:
    return Consumed(0, value)


def cores(rig: Rig) -> dict[int, Echo]:
    found: dict[int, Echo] = {}
    for partition, core in rig.stage.cores.items():
        assert isinstance(core, Echo)
        found[partition] = core
    return found
