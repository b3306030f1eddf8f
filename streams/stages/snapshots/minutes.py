"""Minutes over all partitions of events: merging their partials, and what each flush has to write.

Everything that is merged may come twice, late and in any order between partitions: of the sums of one partition those
with the highest `upto` count, and of fingerprints the union. So what a minute comes to does not depend on which worker
sent what when, and there is nothing to remember of what was read already.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import LONGEST_QUEUE, MetricSnapshot, MinutePartial, MinutePartials
from schemas.topics import METRICS_PARTIALS, METRICS_SNAPSHOTS, MINUTE_MS, ONLY_PARTITION
from streams.core.contract import Change, Chunk, Flush
from streams.core.times import END_OF_TIME, iso
from streams.stages.snapshots.distinct import Distinct

STAGE = "snapshots"
META = b""  # key of the stage's own record
ALL_QUEUES = ""
INTERACTIONS, AGENTS = "i", "a"  # in keys of fingerprints
FILLED_AT_A_TIME = 600  # empty minutes in one flush

MOST_SOURCES = 10_000  # partitions of events: what is told of each stands in one record
MOST_EVENTS = 2**48  # of one partition and minute: sums over all partitions stay numbers that Avro and JSON can write

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"

Sums = tuple[int, int, int, int, int, int]  # upto, events, handle time, handles, wait time, waits
# Of a row: all that a revision stands for. The last two, handles and waits, are None in state from before they were.
Figures = tuple[int, int, float, float, int, bool, bool, int, int | None, int | None]
NUMBER_OF_FIGURES = 10


@dataclass(slots=True)
class Told:
    """Up to which end (ms) minutes are final as far as one partition of events goes, and closed."""

    final: int = 0
    closed: int = 0


class Minute:
    """One minute of one queue, or over all queues."""

    __slots__ = ("agents", "figures", "final", "interactions", "minute", "queue", "revision", "sums")

    def __init__(self, minute: int, queue: str) -> None:
        self.minute, self.queue = minute, queue
        self.sums: dict[int, Sums] = {}  # by partition of events
        self.interactions, self.agents = Distinct(), Distinct()
        self.revision, self.final = 0, False
        self.figures: Figures | None = None  # of the revision

    @property
    def key(self) -> bytes:
        return f"m|{self.minute}|{self.queue}".encode()

    def merge(self, source: int, partial: MinutePartial) -> None:
        if partial.upto > self.sums.get(source, (-1,))[0]:
            self.sums[source] = (
                partial.upto,
                partial.events,
                partial.handle_time,
                partial.handles,
                partial.wait_time,
                partial.waits,
            )
        self.interactions.add(partial.interactions)
        self.agents.add(partial.agents)

    def revise(self) -> bool:
        """Give it a new revision if it comes to something else than before; return whether it does."""
        _, events, handle_time, handles, wait_time, waits = map(sum, zip((0,) * 6, *self.sums.values(), strict=True))
        figures = (
            events,
            len(self.interactions),
            handle_time / 1000 / handles if handles else 0.0,
            wait_time / 1000 / waits if waits else 0.0,
            len(self.agents),
            self.final,
            self.interactions.exact and self.agents.exact,
            len(self.sums),
            handles,
            waits,
        )
        if figures == self.figures:
            return False
        self.figures = figures
        self.revision += 1
        return True

    def row(self) -> MetricSnapshot:
        """Return the row of the revision."""
        assert self.figures is not None  # noqa: S101 - it was revised
        events, interactions, handle, wait, agents, final, exact, heard, handles, waits = self.figures
        return MetricSnapshot(
            window=self.minute,
            queue=self.queue,
            events=events,
            interactions=interactions,
            avg_handle_time=handle,
            avg_wait_time=wait,
            active_agents=agents,
            revision=self.revision,
            final=final,
            exact=exact,
            heard=heard,
            handles=handles,
            waits=waits,
        )

    def changes(self, flush: int) -> Iterator[Change]:
        """Yield what is to be stored: fingerprints before the figures that count them."""
        for kind, distinct in ((INTERACTIONS, self.interactions), (AGENTS, self.agents)):
            for number, content in distinct.changes():
                yield Change(self._slice(kind, number), content)
        stored = {
            "flush": flush,
            "revision": self.revision,
            "figures": self.figures,
            "sums": list(self.sums.items()),
        }
        yield Change(self.key, orjson.dumps(stored))

    def deletions(self) -> Iterator[Change]:
        for kind, distinct in ((INTERACTIONS, self.interactions), (AGENTS, self.agents)):
            for number in distinct.slices():
                yield Change(self._slice(kind, number), None)
        yield Change(self.key, None)

    def _slice(self, kind: str, number: int) -> bytes:
        return f"{kind}{number}|{self.minute}|{self.queue}".encode()

    @classmethod
    def restored(cls, minute: int, queue: str, value: bytes | None, slices: Mapping[str, dict[int, bytes]]) -> "Minute":
        """`value` is None when a kill came between the first fingerprints of a minute and the minute itself."""
        restored = cls(minute, queue)
        if value is not None:
            stored = orjson.loads(value)
            figures = stored["figures"]
            padded = figures if len(figures) == NUMBER_OF_FIGURES else [*figures, None, None]
            restored.revision, restored.figures = stored["revision"], tuple(padded)
            restored.sums = {source: tuple(sums) for source, sums in stored["sums"]}
            restored.final = restored.row().final
        exact = restored.figures is None or restored.row().exact
        restored.interactions.restore(slices[INTERACTIONS], exact=exact)
        restored.agents.restore(slices[AGENTS], exact=exact)
        return restored


class Minutes:
    """All minutes that may still change. Of one partition: there is no other."""

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        decode: Callable[[bytes], MinutePartials],
        encode: Callable[[MetricSnapshot], bytes],
    ) -> None:
        self._partition, self._decode, self._encode = partition, decode, encode
        meta = orjson.loads(stored.get(META, b"{}"))
        self._flush: int = meta.get("flush", 0)  # the last that was completed
        self._forgotten: int = meta.get("forgotten", 0)  # minutes that end here or before are not kept
        self._filled: int | None = meta.get("filled")  # minutes that begin before are there, if only empty
        self._sources: int = meta.get("sources", 0)
        self._told = {source: Told(final, closed) for source, final, closed in meta.get("told", ())}
        self._minutes: dict[tuple[int, str], Minute] = {}
        self._unpublished: dict[tuple[int, str], Minute] = {}
        self._restore(stored)
        self._open = {key: each for key, each in self._minutes.items() if not each.final}
        self._touched: dict[tuple[int, str], Minute] = {}
        self._swept = -1  # minutes that end here or before are deleted
        self._refused: list[Outgoing] = []
        self._sealed = meta

    def fold(self, chunk: Chunk) -> int:
        """Merge the partials of a chunk. Returns how many records were refused: undecodable, or out of range."""
        refused_before = len(self._refused)
        for record in chunk.records:
            try:
                news = self._decode(record.value or b"")
            except DecodeError as error:
                self._refuse(record, UNDECODABLE, str(error))
                continue
            if problem := _out_of_range(news):
                self._refuse(record, OUT_OF_RANGE, problem)
                continue
            for partial in news.minutes:
                self._merge(news.source, partial)
            told = self._told.setdefault(news.source, Told())
            told.final, told.closed = max(told.final, news.final), max(told.closed, news.closed)
            self._sources = max(self._sources, news.sources)
        return len(self._refused) - refused_before

    def flush(self, _now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - minutes go out whole or not at all
        """Return changed and newly final minutes with their rows, refusals, and the stage's own record."""
        final_until = self._final_until()
        self._fill(final_until)
        for key, minute in [*self._open.items()]:
            if minute.minute + MINUTE_MS <= final_until:
                minute.final = True
                self._touched[key] = minute
                del self._open[key]
        revised = {key: minute for key, minute in self._touched.items() if minute.revise()}
        published = self._unpublished | revised
        flush = Flush(
            state=[change for minute in revised.values() for change in minute.changes(self._flush + 1)],
            outputs=[*(self._publish(published[key]) for key in sorted(published)), *self._refused],
        )
        gone = self._expired(final_until)
        if published or self._refused:
            self._flush += 1
        meta = self._meta()
        if meta != self._sealed:
            self._sealed = meta
            flush.seal = [Change(META, orjson.dumps(meta)), *gone]
        self._touched, self._unpublished, self._refused = {}, {}, []
        return flush

    def _merge(self, source: int, partial: MinutePartial) -> None:
        if partial.minute + MINUTE_MS <= self._forgotten:
            return  # of an earlier reading: nothing new comes of it
        key = partial.minute, partial.queue
        minute = self._minutes.get(key) or self._add(key)
        minute.merge(source, partial)
        self._touched[key] = minute

    def _add(self, key: tuple[int, str]) -> Minute:
        minute = self._minutes[key] = self._open[key] = Minute(*key)
        return minute

    def _final_until(self) -> int:
        """Return the end of the last minute that is final in all partitions of events, also where none came."""
        if not self._sources or len(self._told) < self._sources:
            return 0
        return min(told.final for told in self._told.values())

    def _fill(self, until: int) -> None:
        """Add minutes without events, over all queues: somebody may wait for them, and totals of nothing are 0."""
        if self._filled is None:
            self._filled = min((minute for minute, _ in self._minutes), default=None)
        if self._filled is None:
            return
        end = min(until - MINUTE_MS, self._filled + (FILLED_AT_A_TIME - 1) * MINUTE_MS)
        while self._filled <= end:
            key = self._filled, ALL_QUEUES
            if key not in self._minutes and self._filled + MINUTE_MS > self._forgotten:
                self._touched[key] = self._add(key)
            self._filled += MINUTE_MS

    def _expired(self, final_until: int) -> list[Change]:
        """Forget minutes that are final and take no more events."""
        closed = min((told.closed for told in self._told.values()), default=0)
        closed = min(closed, final_until, self._filled or 0)
        if closed == self._swept:
            return []
        self._swept = closed
        gone = [key for key in self._minutes if key[0] + MINUTE_MS <= closed]
        self._forgotten = max(self._forgotten, closed)
        return [change for key in gone for change in self._minutes.pop(key).deletions()]

    def _restore(self, stored: Mapping[bytes, bytes]) -> None:
        slices: dict[tuple[int, str], dict[str, dict[int, bytes]]] = {}
        minutes: dict[tuple[int, str], bytes | None] = {}
        for name, value in stored.items():
            if name == META:
                continue
            kind, start, queue = name.decode().split("|", 2)
            key = int(start), queue
            minutes.setdefault(key)
            found = slices.setdefault(key, {INTERACTIONS: {}, AGENTS: {}})
            if kind == "m":
                minutes[key] = value
            else:
                found[kind[0]][int(kind[1:])] = value
        for key, figures in minutes.items():
            self._minutes[key] = Minute.restored(*key, figures, slices[key])
            if figures is not None and orjson.loads(figures)["flush"] > self._flush:
                self._unpublished[key] = self._minutes[key]

    def _meta(self) -> dict[str, object]:
        return {
            "flush": self._flush,
            "forgotten": self._forgotten,
            "filled": self._filled,
            "sources": self._sources,
            "told": [[source, told.final, told.closed] for source, told in self._told.items()],
        }

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        self._refused.append(
            dead_letter(METRICS_PARTIALS.name, self._partition, record, stage=STAGE, reason=reason, detail=detail)
        )

    def _publish(self, minute: Minute) -> Outgoing:
        key = f"{iso(minute.minute)}|{minute.queue}".encode()
        return Outgoing(METRICS_SNAPSHOTS.name, key, self._encode(minute.row()), partition=ONLY_PARTITION)


def _out_of_range(news: MinutePartials) -> str | None:
    if not 0 <= news.source < MOST_SOURCES or not 0 <= news.sources <= MOST_SOURCES:
        return f"events have at most {MOST_SOURCES:,} partitions, numbered from 0"
    if not 0 <= news.closed < END_OF_TIME or not 0 <= news.final < END_OF_TIME:
        return "minutes are final, and closed, from 1970 to 9999"
    for each in news.minutes:
        if each.minute % MINUTE_MS or not 0 <= each.minute < END_OF_TIME:
            return "a minute begins at a whole one, from 1970 to 9999"
        if len(each.queue) > LONGEST_QUEUE:
            return f"a queue's id has at most {LONGEST_QUEUE:,} characters"
        if not all(0 <= number < MOST_EVENTS for number in (each.events, each.handles, each.waits)):
            return f"a partition has from 0 to {MOST_EVENTS:,} events of a minute"
    return None
