"""Seeded events -> what `normalise` publishes of them, and what percentiles must make of that.

The frames are short, which `normalise` does not hand on; what reads them and writes its records and their headers is
the stage's own core. Campaigns, durations and disorder are spread as the simulator's are.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.growth.points import Point
from benchmarks.results import HOUR_MS, SHARES, Row, Rows, Window
from connectors.cxone import dialect
from connectors.simulator.interactions.campaigns import ZIPF_EXPONENT
from connectors.simulator.interactions.traffic import LONGEST_SECONDS, OUT_OF_ORDER_SECONDS
from schemas.avro import Codec
from schemas.envelope import Outgoing, Record
from schemas.records import EventTimeProgress, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import EVENT_TIME, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.core.contract import Chunk
from streams.core.raw_frames.frames import Frames
from streams.stages.normalise.reading import interactions

STARTED_AT = int(datetime(2026, 1, 16, tzinfo=UTC).timestamp() * 1000)  # of event time
HORIZON = 900_000  # ms for which event ids are remembered, as usual
BATCH = 50_000  # events that are made at a time
FRAME = (
    '{"eventId":"%036x","type":"interaction.completed","timestamp":"%sZ",'
    '"payload":{"campaignId":"%s","handleTime":%d,"waitTime":%d}}'
)

Numbers = NDArray[np.int64]


class Raw(msgspec.Struct, gc=False):
    """A raw record: millions of them are made."""

    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Events:
    """Columns: campaign and hour by number, both durations in seconds."""

    campaign: Numbers
    hour: Numbers
    handle: Numbers
    wait: Numbers


class Traffic:
    """The events of a point. Read `records` to the end before the rest of it."""

    def __init__(self, point: Point, seed: int = 1) -> None:
        self._point, self._random = point, np.random.default_rng(seed)
        weights = np.arange(1, point.campaigns + 1, dtype=float) ** -ZIPF_EXPONENT
        self._upto = np.cumsum(weights) / weights.sum()
        self._names = [f"campaign-{number:05}" for number in range(point.campaigns)]
        self._medians = self._random.uniform((90, 5), (480, 60), (point.campaigns, 2))
        fields = dialect.load("v2").interactions.fields.interaction()
        codec = Codec(FileSchemaIds())
        reading = interactions(fields, clock_skew=0, encode=codec.encoder(InteractionCompleted))
        self._cores = [Frames(raw, {}, horizon=HORIZON, reading=reading) for raw in range(point.partitions)]
        self._encode_progress = codec.encoder(EventTimeProgress)
        self._offsets = [0] * point.partitions
        self._made: list[Events] = []
        self._number = 0

    def records(self) -> Iterator[Outgoing]:
        """Yield what `normalise` writes of all events, in the order of their arrival."""
        while self._number < self._point.events:
            yield from self._published(min(BATCH, self._point.events - self._number))

    def late(self) -> tuple[Window, list[Outgoing]]:
        """Make one event more, of the busiest campaign's first hour; return its window and its records."""
        self._made.append(Events(*(np.array([value]) for value in (0, 0, 60, 10))))
        frame = FRAME % (self._number, *_texts(np.array([STARTED_AT])), self._names[0], 60, 10)
        self._number += 1
        return (self._names[0], STARTED_AT), list(self._folded(0, [(frame.encode(), self._end())]))

    def progress(self, ends: list[int]) -> Iterator[Outgoing]:
        """Yield how far event time has come, when each partition of the typed topic ends at one of `ends`."""
        reached = [end - 1 for end in ends]
        for raw, core in enumerate(self._cores):
            time = core.event_time
            told = EventTimeProgress(
                topic=RAW_INTERACTIONS.name,
                partition=raw,
                partitions=len(self._cores),
                destination=INTERACTIONS_COMPLETED.name,
                passed=time.passed,
                log_time=time.log_time,
                caught_up=True,
                reached=reached,
            )
            key = f"{told.topic}|{raw}|{told.destination}".encode()
            yield Outgoing(EVENT_TIME.name, key, self._encode_progress(told))

    def final(self, hour_start: int, lateness: int) -> bool:
        """Tell whether an hour has ended for good, by an allowed lateness in milliseconds."""
        passed = min(core.event_time.passed for core in self._cores)
        return hour_start + HOUR_MS + lateness <= passed

    def row(self, window: Window) -> Row:
        """Return what must have been published last of one window, by numpy's own percentiles."""
        campaign, hour, handle, wait = self._columns()
        number = self._names.index(window[0])
        of_it = (campaign == number) & (hour == (window[1] - STARTED_AT) // HOUR_MS)
        shares = [np.percentile(values[of_it], SHARES).tolist() for values in (handle, wait)]
        return (int(of_it.sum()), *shares[0], *shares[1])

    def rows(self) -> Rows:
        """Return what must have been published last of each window."""
        campaign, hour, handle, wait = self._columns()
        window = campaign * self._point.hours + hour
        names, starts, counts = np.unique(np.sort(window), return_index=True, return_counts=True)
        columns = [*_shares(window, handle, starts, counts), *_shares(window, wait, starts, counts)]
        table = np.column_stack([counts, *columns])
        return {
            (self._names[name // self._point.hours], STARTED_AT + name % self._point.hours * HOUR_MS): _row(row)
            for name, row in zip(names.tolist(), table.tolist(), strict=True)
        }

    def _columns(self) -> list[Numbers]:
        names = ("campaign", "hour", "handle", "wait")
        return [np.concatenate([getattr(each, name) for each in self._made]) for name in names]

    def _end(self) -> int:
        return STARTED_AT + self._point.hours * HOUR_MS - 1

    def _published(self, number: int) -> Iterator[Outgoing]:
        point, random, first = self._point, self._random, self._number
        campaign = np.searchsorted(self._upto, random.random(number)).clip(0, point.campaigns - 1)
        medians = self._medians[campaign]
        spread = random.lognormal(0, (0.6, 0.9), (number, 2))
        handle, wait = np.minimum(medians * spread, LONGEST_SECONDS).astype(np.int64).T
        ids = np.arange(first, first + number)
        arrived = STARTED_AT + (ids * (point.hours * HOUR_MS)) // point.events
        disorder = np.minimum(random.exponential(40, number), OUT_OF_ORDER_SECONDS) * (random.random(number) < 0.3)  # noqa: PLR2004
        at = np.maximum(arrived - (disorder * 1000).astype(np.int64), STARTED_AT)
        self._made.append(Events(campaign, (at - STARTED_AT) // HOUR_MS, handle, wait))
        self._number += number
        frames: defaultdict[int, list[tuple[bytes, int]]] = defaultdict(list)
        columns = (column.tolist() for column in (ids, arrived, campaign, handle, wait))
        for event, came, of, handled, waited, time in zip(*columns, _texts(at), strict=True):
            frame = FRAME % (event, time, self._names[of], handled, waited)
            frames[event % point.partitions].append((frame.encode(), came))
        for raw, given in frames.items():
            yield from self._folded(raw, given)

    def _folded(self, raw: int, frames: list[tuple[bytes, int]]) -> list[Outgoing]:
        core, offset = self._cores[raw], self._offsets[raw]
        records: list[Record] = [Raw(offset + n, came, frame) for n, (frame, came) in enumerate(frames)]
        self._offsets[raw] += len(records)
        refused = core.fold(Chunk(RAW_INTERACTIONS.name, raw, records))
        assert not refused, "the frames are good"  # or the benchmark is wrong
        return core.flush(0.0, seal=False).outputs


def _texts(times: Numbers) -> list[str]:
    """Return times in ms as ISO 8601 text without an offset."""
    return [str(text) for text in np.datetime_as_string(times.astype("datetime64[ms]"))]


def _shares(window: Numbers, values: Numbers, starts: Numbers, counts: Numbers) -> list[NDArray[np.float64]]:
    """Return the percentiles of each window by linear interpolation between closest ranks."""
    ordered = values[np.lexsort((values, window))]
    found = []
    for share in SHARES:
        place = share / 100 * (counts - 1)
        below = place.astype(np.int64)
        a, b = ordered[starts + below], ordered[starts + np.minimum(below + 1, counts - 1)]
        found.append(a + (b - a) * (place - below))
    return found


def _row(values: list[float]) -> Row:
    return (int(values[0]), *values[1:])
