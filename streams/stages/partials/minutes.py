"""Partial sums of one partition's minutes: folding events into them, and what each flush has to write.

A partial is a function of the partition's log up to its offset `upto`, and of nothing else: whoever folds the same log
publishes the same partial under the same `upto`. So of several the one with the highest offset counts, whoever wrote
it, and a worker that lost its partition without knowing it can do no harm.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import INTERACTION, LONGEST_QUEUE, AnalyticsEvent, MinutePartial, MinutePartials
from schemas.topics import ANALYTICS_EVENTS, METRICS_PARTIALS, MINUTE_MS, ONLY_PARTITION
from streams.core.contract import Change, Chunk, Flush
from streams.core.event_time import log_time
from streams.core.taken import PositionError, Taken
from streams.core.times import END_OF_TIME, LONGEST_DURATION, iso
from streams.core.windows.watermark import BROKERS_APART
from streams.stages.partials.partial import Partial

STAGE = "partials"
META = b""  # key of the partition's own record: how far everything is folded

IDLE = "idle"  # an interaction in this state is counted by nobody
ALL_QUEUES = ""
MOST_QUEUES = 10_000  # of one minute
RECORD_BYTES = 256 << 10  # about, of partials in one record
FIGURES_BYTES = 64  # of one partial, at most

TOO_LATE = "too late"
UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"


class Watermark(Protocol):
    """What is needed of `streams.core.windows.watermark.Watermark`. Times in ms since the epoch."""

    @property
    def reached(self) -> int: ...
    @property
    def log_time(self) -> int: ...
    def take(self, offset: int) -> None: ...
    def advance(self) -> int: ...
    def stored(self) -> dict[str, Any]: ...
    def restore(self, stored: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Which partition of how many this is; how long after its end (ms) a minute is final, and takes no late event."""

    partition: int
    partitions: Callable[[], int]  # 0 while it is not known
    lateness: int
    retention: int


class Minutes:
    """The partials of one partition of events.

    An event is counted once: `Taken` knows which were published again by their source positions. `_upto` is the last
    offset that a complete flush covers. A partial beyond it comes from a flush that a kill interrupted: its events come
    again, and it goes out again with them.
    """

    def __init__(
        self,
        sources: Sources,
        stored: Mapping[bytes, bytes],
        *,
        watermark: Watermark,
        decode: Callable[[bytes], AnalyticsEvent],
        encode: Callable[[MinutePartials], bytes],
    ) -> None:
        self._sources, self._time, self._decode, self._encode = sources, watermark, decode, encode
        meta = orjson.loads(stored.get(META, b"{}"))
        self._taken = Taken(ANALYTICS_EVENTS.name, meta.get("positions", ()))
        self._upto: int = meta.get("upto", -1)  # with a complete flush
        self._folded = self._upto
        self._forgotten: int = meta.get("forgotten", 0)  # minutes that end here or before are not kept
        watermark.restore(meta.get("time", {}))
        self._partials: dict[tuple[int, str], Partial] = {}
        self._queues: dict[int, int] = {}  # minute -> how many it has
        for key, value in stored.items():
            if key != META:
                self._keep(Partial.restored(key, value))
        self._changed: dict[tuple[int, str], Partial] = {}
        self._swept = -1  # minutes that end here or before were deleted
        self._refused: list[Outgoing] = []
        self._sealed: dict[str, Any] = {}
        self._told: tuple[int, int] | None = None  # what readers know of event time

    def fold(self, chunk: Chunk) -> int:
        """Count the events of a chunk. Returns how many were refused: undecodable, out of range or too late."""
        refused_before = len(self._refused)
        for record in chunk.records:
            if record.offset <= self._folded:
                continue
            self._folded = record.offset
            try:
                source = self._taken.new(record)
                if source is None:
                    continue
                event = self._decode(record.value or b"")
            except PositionError as error:
                self._refuse(record, error.refused.reason, error.refused.detail)
                continue
            except DecodeError as error:
                self._refuse(record, UNDECODABLE, str(error))
                continue
            raw, offset = source
            self._taken.positions[raw] = offset
            if event.event_type == INTERACTION and (event.metrics.state or "").casefold() != IDLE:
                self._count(event, record)
        self._time.take(self._folded)
        return len(self._refused) - refused_before

    def flush(self, _now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - partials go out whole or not at all
        """Return what changed, how far event time has come, refusals, and the partition's own record."""
        self._time.advance()
        changed = [self._changed[key] for key in sorted(self._changed)]
        flush = Flush(
            state=[Change(each.key, each.stored()) for each in changed if each.upto > self._upto],
            outputs=[*self._news(changed), *self._refused],
        )
        self._taken.tell(flush)
        gone = self._expired()
        self._upto = self._folded
        meta = self._meta()
        news = {**meta, "time": self._told}  # time goes on without end: what it comes to is worth a record
        if news != self._sealed:
            self._sealed = news
            flush.seal = [Change(META, orjson.dumps(meta)), *gone]
        self._changed, self._refused = {}, []
        return flush

    def _count(self, event: AnalyticsEvent, record: Record) -> None:
        if problem := _out_of_range(event):
            self._refuse(record, OUT_OF_RANGE, problem)
            return
        minute = event.timestamp - event.timestamp % MINUTE_MS
        end = minute + MINUTE_MS
        known = (minute, ALL_QUEUES) in self._partials
        if end + self._sources.retention <= log_time(record) or (end <= self._forgotten and not known):
            self._refuse(record, TOO_LATE, f"its minute {iso(minute)} is no longer kept")
            return
        queue = event.queue_id or ALL_QUEUES
        if (minute, queue) not in self._partials and self._queues.get(minute, 0) > MOST_QUEUES:
            self._refuse(record, OUT_OF_RANGE, f"its minute {iso(minute)} has {MOST_QUEUES} other queues")
            return
        for name in {ALL_QUEUES, queue}:
            key = minute, name
            partial = self._partials.get(key) or self._keep(Partial(minute, name))
            partial.count(event, record.offset)
            if event.interaction_id is not None:
                partial.interactions.add(event.interaction_id)
            if event.agent_id is not None:
                partial.agents.add(event.agent_id)
            self._changed[key] = partial

    def _keep(self, partial: Partial) -> Partial:
        self._partials[partial.minute, partial.queue] = partial
        self._queues[partial.minute] = self._queues.get(partial.minute, 0) + 1
        return partial

    def _news(self, changed: list[Partial]) -> Iterator[Outgoing]:
        """Yield what readers do not know: partials, in records that Kafka takes, and then how far time has come."""
        parts = [part for each in changed for part in each.published()]
        told, self._told = self._told or (0, 0), (self._final(), self._closed())
        if not parts and told == self._told:
            return
        batch: list[MinutePartial] = []
        size = 0
        for part in parts:
            size += _bytes(part)
            if batch and size > RECORD_BYTES:
                yield self._outgoing(batch, *told)
                batch, size = [], _bytes(part)
            batch.append(part)
        yield self._outgoing(batch, *self._told)

    def _outgoing(self, minutes: list[MinutePartial], final: int, closed: int) -> Outgoing:
        source = self._sources
        news = MinutePartials(source.partition, source.partitions(), final, closed, tuple(minutes))
        return Outgoing(METRICS_PARTIALS.name, b"%d" % source.partition, self._encode(news), partition=ONLY_PARTITION)

    def _final(self) -> int:
        """Return the end of the last minute that is final as far as this partition goes."""
        return _whole_minutes(self._time.reached - self._sources.lateness)

    def _closed(self) -> int:
        """Return the end of the last minute that takes no more events."""
        return min(self._final(), _whole_minutes(self._time.log_time - self._sources.retention - BROKERS_APART))

    def _expired(self) -> list[Change]:
        """Forget minutes that take no more events; not one that holds what comes again."""
        closed = self._closed()
        if closed == self._swept:
            return []
        self._swept = closed
        gone = [
            key for key, each in self._partials.items() if key[0] + MINUTE_MS <= closed and each.upto <= self._folded
        ]
        for minute, _ in gone:
            self._queues.pop(minute, None)
            self._forgotten = max(self._forgotten, minute + MINUTE_MS)
        return [Change(self._partials.pop(key).key, None) for key in gone]

    def _meta(self) -> dict[str, Any]:
        return {
            "upto": self._upto,
            "positions": [list(each) for each in self._taken.stored()],
            "forgotten": self._forgotten,
            "time": self._time.stored(),
        }

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        topic, partition = ANALYTICS_EVENTS.name, self._sources.partition
        self._refused.append(dead_letter(topic, partition, record, stage=STAGE, reason=reason, detail=detail))


def _whole_minutes(time: int) -> int:
    return max(time - time % MINUTE_MS, 0)


def _out_of_range(event: AnalyticsEvent) -> str | None:
    durations = (event.metrics.handle_time, event.metrics.wait_time)
    if not all(each is None or 0 <= each <= LONGEST_DURATION for each in durations):
        return f"durations lie in 0 to {LONGEST_DURATION:.0f} seconds"
    if not 0 <= event.timestamp < END_OF_TIME:
        return "times lie in 1970 to 9999"
    if len(event.queue_id or "") > LONGEST_QUEUE:
        return f"a queue's id has at most {LONGEST_QUEUE} characters"
    return None


def _bytes(partial: MinutePartial) -> int:
    return FIGURES_BYTES + 4 * len(partial.queue) + len(partial.interactions) + len(partial.agents)
