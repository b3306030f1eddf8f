"""Events -> partials -> snapshots in memory: logs, workers that are killed in the middle of a flush, and a batch."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.avro import Codec
from schemas.envelope import LOG_TIME, SOURCE_POSITION, Consumed, Outgoing
from schemas.records import AnalyticsEvent, AnalyticsMetrics, MetricSnapshot, MinutePartials
from schemas.releases import FileSchemaIds
from schemas.topics import ANALYTICS_EVENTS, DEAD_LETTERS, METRICS_PARTIALS, METRICS_SNAPSHOTS
from streams.core.contract import Change, Chunk, Core, Flush
from streams.stages.partials.minutes import Minutes as PartialMinutes
from streams.stages.partials.minutes import Sources
from streams.stages.snapshots.minutes import Minutes

CODEC = Codec(FileSchemaIds())
MINUTE = 60_000
NOON = 1_795_694_400_000  # 2026-11-26T12:00:00Z
RETENTION, LATENESS = 3_600_000, 30_000


def event(  # noqa: PLR0913 - of an event
    at: int = NOON,
    *,
    interaction: str | None = "i",
    agent: str | None = "a",
    queue: str | None = None,
    handle: float | None = 60.0,
    wait: float | None = 5.0,
    state: str | None = "active",
    kind: str = "interaction",
) -> AnalyticsEvent:
    metrics = AnalyticsMetrics(handle, wait, None, state)
    return AnalyticsEvent("e", kind, at, interaction, agent, queue, metrics, {})


@dataclass
class SetWatermark:
    """A watermark that is set by hand."""

    reached: int = 0
    log_time: int = 0

    taken: int = -1

    def take(self, offset: int) -> None:
        self.taken = offset

    def advance(self) -> int:
        return self.reached

    def stored(self) -> dict[str, Any]:
        return {"reached": self.reached, "log_time": self.log_time}

    def restore(self, stored: Mapping[str, Any]) -> None:
        self.reached = max(self.reached, stored.get("reached", 0))
        self.log_time = max(self.log_time, stored.get("log_time", 0))


@dataclass
class EventLog:
    """One partition of events; what stands in a record's value is the event's number."""

    events: list[AnalyticsEvent] = field(default_factory=list)
    records: list[Consumed] = field(default_factory=list)

    def append(self, each: AnalyticsEvent, source: tuple[int, int], log_time: int = 0) -> None:
        self.events.append(each)
        headers = ((SOURCE_POSITION, b"%d:%d" % source), (LOG_TIME, b"%d" % log_time))
        self.records.append(Consumed(len(self.records), b"%d" % (len(self.events) - 1), headers=headers))

    def decode(self, value: bytes) -> AnalyticsEvent:
        return self.events[int(value)]


def chunk(records: Sequence[Consumed], topic: str = ANALYTICS_EVENTS.name, partition: int = 0) -> Chunk:
    return Chunk(topic, partition, records)


@dataclass
class Life:
    """A core on what is stored, and the log that it reads; `publish` takes its outputs."""

    make: Callable[[Mapping[bytes, bytes]], Core[Flush]]
    log: Sequence[Consumed]
    publish: Callable[[Outgoing], None]
    stored: dict[bytes, bytes] = field(default_factory=dict)
    committed: int = 0  # the next offset, of a flush that was completed

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.core, self.next = self.make(dict(self.stored)), self.committed

    def fold(self, number: int) -> None:
        records = self.log[self.next : self.next + number]
        if records:
            self.core.fold(chunk(records))
            self.next = records[-1].offset + 1

    def flush(self, cut: int | None = None) -> None:
        """Write a flush; with `cut` only so many of its records, and then the process is killed."""
        flush = self.core.flush(0.0, seal=True)
        written: list[Change | Outgoing] = [*flush.state, *flush.outputs, *flush.seal]
        for each in written if cut is None else written[:cut]:
            if isinstance(each, Outgoing):
                self.publish(each)
            elif each.value is None:
                self.stored.pop(each.key, None)
            else:
                self.stored[each.key] = each.value
        if cut is None:
            self.committed = self.next
        else:
            self.begin()


class Flow:
    """Partitions of events, a life of `partials` for each, and one of `snapshots` behind them."""

    def __init__(self, partitions: int) -> None:
        self.events = [EventLog() for _ in range(partitions)]
        self.partials: list[Consumed] = []
        self.rows: list[MetricSnapshot] = []
        self.dead: list[Outgoing] = []
        self.times = [SetWatermark() for _ in range(partitions)]
        self.sources = [Life(self._partials(p), self.events[p].records, self._take) for p in range(partitions)]
        self.merging = Life(self._minutes, self.partials, self._take)

    def zombie(self, partition: int) -> Life:
        """Return another worker with what is stored now: it publishes as the owner does, and its state is nobody's."""
        own = self.sources[partition]
        return Life(own.make, own.log, self._take, dict(own.stored), own.committed)

    def finish(self, reached: int, cut: int | None = None) -> None:
        """Let time go on to `reached` in every partition and everything be read and written.

        With `cut`, the merging worker is killed after so many records of its last flush.
        """
        for source, time in zip(self.sources, self.times, strict=True):
            time.reached = max(time.reached, reached)
            source.fold(len(source.log))
            source.flush()
        self.merging.fold(len(self.partials))
        self.merging.flush(cut)

    def newest(self) -> dict[tuple[int, str], MetricSnapshot]:
        """Return the rows that count, those with the highest revision."""
        newest: dict[tuple[int, str], MetricSnapshot] = {}
        for row in self.rows:
            key = row.window, row.queue
            if key not in newest or row.revision > newest[key].revision:
                newest[key] = row
        return newest

    def _partials(self, partition: int) -> Callable[[Mapping[bytes, bytes]], Core[Flush]]:
        encode, log = CODEC.encoder(MinutePartials), self.events[partition]
        sources = Sources(
            partition=partition, partitions=lambda: len(self.events), lateness=LATENESS, retention=RETENTION
        )
        return lambda stored: PartialMinutes(
            sources, stored, watermark=self.times[partition], decode=log.decode, encode=encode
        )

    def _minutes(self, stored: Mapping[bytes, bytes]) -> Core[Flush]:
        decode, encode = CODEC.decoder(MinutePartials), CODEC.encoder(MetricSnapshot)
        return Minutes(0, stored, decode=decode, encode=encode)

    def _take(self, record: Outgoing) -> None:
        value = record.value or b""
        if record.topic == METRICS_PARTIALS.name:
            self.partials.append(Consumed(len(self.partials), value))
        elif record.topic == METRICS_SNAPSHOTS.name:
            self.rows.append(CODEC.decoder(MetricSnapshot)(value))
        else:
            assert record.topic == DEAD_LETTERS.name
            self.dead.append(record)


Figures = tuple[int, int, float, float, int]  # events, interactions, handle time, wait time, agents


def figures(row: MetricSnapshot) -> Figures:
    return row.events, row.interactions, row.avg_handle_time, row.avg_wait_time, row.active_agents


def batch(events: Iterable[AnalyticsEvent]) -> dict[tuple[int, str], Figures]:
    """Return what the minutes of all events come to, computed at once and from the whole."""
    counted: defaultdict[tuple[int, str], list[AnalyticsEvent]] = defaultdict(list)
    for each in events:
        if each.event_type == "interaction" and (each.metrics.state or "").lower() != "idle":
            for queue in {"", each.queue_id or ""}:
                counted[each.timestamp // MINUTE * MINUTE, queue].append(each)
    return {
        key: (
            len(of),
            len({each.interaction_id for each in of} - {None}),
            _mean([each.metrics.handle_time for each in of]),
            _mean([each.metrics.wait_time for each in of]),
            len({each.agent_id for each in of} - {None}),
        )
        for key, of in counted.items()
    }


def _mean(times: Sequence[float | None]) -> float:
    named = [round(1000 * time) for time in times if time is not None]
    return sum(named) / 1000 / len(named) if named else 0.0
