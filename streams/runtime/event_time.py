"""Event time on the wire: told by a stage that reads a raw topic, heard by those that aggregate behind it.

What is told of a raw partition is true for good: its events up to there are with the broker, at or below the offsets
that it names. Where all of a partition was read and nothing comes, time goes on by the broker's clock: by the time that
the log gave what was told before. No worker's clock is asked.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

import structlog
from prometheus_client import Gauge

from connectors.errors import ConnectorError, PublishError
from schemas.avro import DecodeError
from schemas.envelope import Outgoing
from schemas.records import EventTimeProgress
from schemas.topics import EVENT_TIME
from streams.core.contract import Flush
from streams.core.event_time import EventTime
from streams.core.windows.watermark import RawProgress
from streams.runtime.schemas import StageCodec
from streams.runtime.slices import in_slices, others_turn

log = structlog.get_logger(component="event time")

INTERVAL = 1.0  # seconds between two looks at what is to be told; more where there are more raw partitions than
TOLD_A_SECOND = 200  # for each of them names an offset in all partitions, and everybody who waits reads it
HEARTBEAT = 2.0  # seconds after which the same is told again: its time in the log is the broker's clock

MOST_PARTITIONS = 100_000  # of a raw topic: each is looked for, and a record may claim any number
UNTOLD = 60.0  # seconds: a partition of a worker that died has another owner by then
LOOK_INTERVAL = 1.0
NAMED = 20  # partitions that readiness names; of more, how many they are

PASSED = Gauge("cxone_event_time_seconds", "Event time that a raw partition has passed.", ["topic", "partition"])
HEARD_OF = Gauge(
    "cxone_event_time_heard_seconds",
    "Event time that a raw partition has passed, as a stage that waits for it has heard.",
    ["stage", "topic", "partition"],
)
WAITED_FOR = Gauge(
    "cxone_event_time_untold_seconds",
    "How long ago event time of a raw partition was told of: with no worker, it holds up what is to become final.",
    ["stage", "topic", "partition"],
)


class Publisher(Protocol):
    """What the teller needs of `connectors.kafka.publisher.KafkaPublisher`."""

    clock: int

    async def publish(self, records: Sequence[Outgoing]) -> Mapping[tuple[str, int], int]: ...


class Raw(Protocol):
    """The raw partitions that this worker has, as its consumer and its cores know them."""

    def generation(self) -> int | None:
        """Return the generation in which they are ours and recovered; None while they are not."""

    def partitions(self) -> int | None:
        """Return how many the topic has; None while that is not known."""

    def times(self) -> Mapping[int, EventTime]:
        """Return the event time of each of ours."""

    def read_to_end(self, partition: int) -> tuple[int, bool]:
        """Return a mark that changes with each answer to a fetch, and whether all that it told of is acknowledged."""

    def ends(self) -> Mapping[int, int]:
        """Ask Kafka for the end of each partition of the destination. Blocks."""


class EventTimeTeller:
    """Tells how far the raw partitions of `source` have come whose events go to `destination`."""

    def __init__(
        self,
        source: str,
        destination: str,
        *,
        raw: Raw,
        publisher: Publisher,
        encode: Callable[[EventTimeProgress], bytes],
    ) -> None:
        self._source, self._destination = source, destination
        self._raw, self._publisher, self._encode = raw, publisher, encode
        self._generation: int | None = None
        self._written: dict[int, tuple[int, int]] = {}  # partition -> (passed, log time) of what is with the broker
        self._reached: dict[int, int] = {}  # partition of the destination -> last offset of ours, or after
        self._told: dict[int, tuple[EventTimeProgress, float]] = {}
        self._clocks: dict[int, tuple[int, int, int]] = {}  # partition -> mark, and the clock at the last two marks

    def delivered(self, flushes: Mapping[int, Flush], offsets: Mapping[tuple[str, int], int]) -> None:
        """Note that flushes are with the broker, at `offsets`."""
        for partition, flush in flushes.items():
            if flush.event_time is not None:
                self._written[partition] = flush.event_time
        for (topic, partition), offset in offsets.items():
            if topic == self._destination:
                self._reached[partition] = max(self._reached.get(partition, -1), offset)

    async def run(self) -> None:
        """Tell, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(INTERVAL, (self._raw.partitions() or 0) / TOLD_A_SECOND))
            await self.tell(loop.time())

    async def tell(self, now: float) -> None:
        """Publish what has changed; `now` in seconds of any clock that does not go back."""
        generation, partitions = self._raw.generation(), self._raw.partitions()
        if generation is None or not partitions:
            return
        if generation != self._generation and not await self._begin(generation):
            return
        reached = [self._reached.get(place, -1) for place in range(max(self._reached, default=-1) + 1)]
        # All at once: what is delivered meanwhile is in none of it.
        found = [self._progress(partition, partitions, time, reached) for partition, time in self._raw.times().items()]
        records = list[Outgoing]()
        async for some in in_slices(progress for progress in found if progress and self._due(progress, now)):
            for progress in some:
                key = f"{self._source}|{progress.partition}|{self._destination}".encode()
                records.append(Outgoing(EVENT_TIME.name, key, self._encode(progress)))
                self._told[progress.partition] = progress, now
                PASSED.labels(self._source, str(progress.partition)).set(progress.passed / 1000)
        try:
            await self._publisher.publish(records)
        except PublishError as failure:
            log.warning("could not be told", source=self._source, reason=str(failure))
            self._told = {}

    async def _begin(self, generation: int) -> bool:
        """Begin with partitions that were just taken over: what their last owner wrote lies before the ends."""
        self._written, self._reached, self._told, self._clocks = {}, {}, {}, {}
        try:
            ends = await asyncio.to_thread(self._raw.ends)
        except ConnectorError as failure:  # a partition without a leader, say: events go on, and time waits for it
            log.warning("cannot be told yet", source=self._source, reason=str(failure))
            return False
        if generation != self._raw.generation():
            return False
        for partition, end in ends.items():
            self._reached[partition] = max(self._reached.get(partition, -1), end - 1)
        self._generation = generation
        return True

    def _progress(
        self, partition: int, partitions: int, time: EventTime, reached: list[int]
    ) -> EventTimeProgress | None:
        mark, caught_up = self._raw.read_to_end(partition)
        clock = self._clock(partition, mark)
        if caught_up:
            passed, log_time = time.by(clock) if clock else (time.passed, time.log_time)
        elif partition in self._written:
            passed, log_time = self._written[partition]
        else:
            return None
        return EventTimeProgress(
            self._source, partition, partitions, self._destination, passed, log_time, caught_up, reached
        )

    def _clock(self, partition: int, mark: int) -> int:
        """Return a time of the broker's clock at which the last answer to a fetch was not asked for yet; 0 for none.

        Two answers came since that time was known, and the second of them was asked for after the first.
        """
        seen, older, newer = self._clocks.get(partition, (-1, 0, 0))
        if mark != seen:
            self._clocks[partition] = mark, newer, self._publisher.clock
            return newer if seen != -1 else 0
        return older

    def _due(self, progress: EventTimeProgress, now: float) -> bool:
        told, at = self._told.get(progress.partition, (None, 0.0))
        return told is None or now - at >= HEARTBEAT or (not progress.caught_up and told.passed != progress.passed)


class Follower(Protocol):
    """What hearing needs of `connectors.kafka.follower.Follower`."""

    def values(self) -> Any: ...


class Waiting(Protocol):
    """The stage that waits for event time."""

    name: str
    trouble: str | None


class EventTimeHearer:
    """Knows the latest progress of every raw partition, and how long ago it was heard of.

    `clock` is in seconds, and does not go back.
    """

    def __init__(self, follower: Follower, codec: StageCodec, *, clock: Callable[[], float] = monotonic) -> None:
        self._follower, self._learn, self._decode = follower, codec.learn, codec.decoder(EventTimeProgress)
        self._clock = clock
        self._told: dict[tuple[str, str], RawProgress] = {}  # of those that somebody asked for
        self._heard: dict[tuple[str, str, int], float] = {}
        self._began = clock()
        # By their labels: to find a figure by them takes as long as setting it five times.
        self._figures: dict[tuple[str, str, str], tuple[Gauge, Gauge]] = {}

    def of(self, source: str, destination: str) -> RawProgress:
        """Return what is told of the raw topic `source`, for readers of `destination`: it goes on as more is."""
        return self._told.setdefault((source, destination), RawProgress())

    def untold(self, source: str, destination: str) -> dict[int, float]:
        """Return for how many seconds each raw partition was not heard of; empty while nothing was of any."""
        now, partitions = self._clock(), self.of(source, destination).partitions
        return {raw: now - self._heard.get((source, destination, raw), self._began) for raw in range(partitions)}

    def trouble(self, source: str, destination: str) -> str | None:
        """Say which raw partitions nobody tells of: nothing becomes final until somebody does. None when all is well.

        Nothing is wrong with a partition that is told of and stands: its worker works off what came.
        """
        untold = self.untold(source, destination)
        if not untold:
            seconds = self._clock() - self._began
            return f"nobody tells how far {source} has come, for {seconds:.0f} s" if seconds > UNTOLD else None
        missing = {raw: seconds for raw, seconds in untold.items() if seconds > UNTOLD}
        if not missing:
            return None
        names = ", ".join(map(str, sorted(missing)[:NAMED]))
        if len(missing) > NAMED:
            names += f" and {len(missing) - NAMED:,} others"
        return (
            f"nothing becomes final: no worker tells how far {source} has come in partition {names}, "
            f"for {max(missing.values()):.0f} s"
        )

    def hear(self, value: bytes) -> None:
        """Take a record of the topic. One that cannot be read says nothing: its partition tells more in a moment."""
        try:
            progress = self._decode(value)
        except DecodeError as error:
            log.warning("cannot be read", topic=EVENT_TIME.name, reason=str(error))
            return
        told = self._told.get((progress.topic, progress.destination))
        if told is not None and 0 <= progress.partition < progress.partitions <= MOST_PARTITIONS:
            told.take(progress)
            self._heard[progress.topic, progress.destination, progress.partition] = self._clock()

    async def run(self) -> None:
        """Hear, for ever."""
        until = 0.0
        async for value in self._follower.values():
            await self._learn((value,))
            self.hear(value)
            until = await others_turn(until)  # many come at once

    async def watch(self, stage: Waiting, source: str, destination: str) -> None:
        """Say for ever, in readiness and metrics of the stage that waits, which raw partitions it waits for."""
        while True:
            self.look(stage, source, destination)
            await asyncio.sleep(LOOK_INTERVAL)

    def look(self, stage: Waiting, source: str, destination: str) -> None:
        """Do so once."""
        stage.trouble = self.trouble(source, destination)
        latest = self.of(source, destination).latest
        for raw, seconds in self.untold(source, destination).items():
            names = stage.name, source, str(raw)
            if names not in self._figures:
                self._figures[names] = WAITED_FOR.labels(*names), HEARD_OF.labels(*names)
            waited_for, heard_of = self._figures[names]
            waited_for.set(seconds)
            if raw in latest:
                heard_of.set(latest[raw].passed / 1000)
