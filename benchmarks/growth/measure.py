"""One point: percentiles works off a backlog, is killed, and comes back; its results are compared with the batch.

Each figure has a time limit, and none is given where a window is wrong.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from benchmarks.growth import beats
from benchmarks.growth.beats import Blocked
from benchmarks.growth.points import Point
from benchmarks.growth.traffic import Traffic
from benchmarks.process import Process, ProcessFailed
from benchmarks.results import Row, Window, WrongResults, require_equal
from benchmarks.topics import Leg, Topics
from connectors.errors import ConnectorError
from schemas.avro import Codec
from schemas.envelope import Outgoing
from schemas.records import CampaignHour
from schemas.releases import FileSchemaIds
from schemas.topics import CAMPAIGN_HOURLY, DEAD_LETTERS, EVENT_TIME, INTERACTIONS_COMPLETED, RAW_INTERACTIONS
from streams.programs.worker import GC_THRESHOLD
from streams.stages.percentiles.declaration import DECLARATION

LIMIT_SECONDS, LIMIT_PER_EVENT, LIMIT_PER_PARTITION = 240.0, 60e-6, 0.24  # of a point
POLL_SECONDS = 0.1
BATCH = 5_000
COMMIT_LOOK = 0.25  # seconds between two looks at what is committed
REST_SECONDS = 1.5  # after a recovery, before memory is read
BEAT = 0.005  # seconds
LATENESS = 300.0  # seconds, of the setting
LEG = Leg(DECLARATION.group, INTERACTIONS_COMPLETED.name)
(CHANGELOG,) = DECLARATION.changelogs
MEMORY, ROCKSDB = "memory", "rocksdb"

Told = Callable[[str], None]
_decode = Codec(FileSchemaIds()).decoder(CampaignHour)


@dataclass(frozen=True, slots=True)
class Recovery:
    """After a kill -9, with nothing to read but the changelog.

    `seconds` are from the assignment of partitions to their state in memory, `ready` from the start of the process.
    `us_a_window` is CPU beyond that of a start without state; `mb` is memory a moment later.
    """

    seconds: float
    ready: float
    us_a_window: float
    mb: float
    blocked: Blocked


@dataclass(frozen=True, slots=True)
class Growth:
    """What one point cost. Memory in MB."""

    point: Point
    windows: int
    us_an_event: float
    per_second: float
    start_cpu: float
    peak_mb: float
    blocked: Blocked
    changelog_bytes: float  # an event
    changelog_records: float  # a window
    memory: Recovery
    rocksdb: Recovery | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NoFigure:
    """A point that has none, and why."""

    point: Point
    why: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Deadline:
    """Of one point."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def check(self, doing: str) -> None:
        """Raise ProcessFailed when it has passed."""
        if time.monotonic() > self._until:
            raise ProcessFailed(f"it took longer than {self._seconds:.0f} s in all; it was still {doing}")


class LogSize:
    """How many bytes were written to a topic, by the sizes of its logs on the broker's disk, before compaction.

    As the broker keeps them: in batches, compressed. `look` often: each segment counts as large as it was ever seen.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self._folder, self._topic = folder, topic
        self._seen: dict[Path, int] = {}

    def look(self) -> int:
        """Return the bytes until now."""
        prefix = f"{self._topic}-"
        for folder in self._folder.glob(f"{prefix}*"):
            if not folder.name.removeprefix(prefix).isdigit():
                continue  # of a topic of that name that was deleted: it is gone at any moment
            with suppress(FileNotFoundError):  # it was cleaned a moment ago
                for log in folder.glob("*.log"):
                    self._seen[log] = max(log.stat().st_size, self._seen.get(log, 0))
        return sum(self._seen.values())


class Published:
    """What the stage has published last of each window."""

    def __init__(self, outputs: Any) -> None:
        self._outputs = outputs
        self.rows: dict[Window, Row] = {}
        self.final: set[Window] = set()
        self.changed: set[Window] = set()
        self.events = 0

    def read_on(self) -> None:
        """Take what comes within POLL_SECONDS."""
        for message in self._outputs.consume(BATCH, POLL_SECONDS):
            if message.error() is not None:
                raise KafkaException(message.error())
            hour = _decode(message.value() or b"")
            window, handle, wait = (hour.campaign_id, hour.hour_start), hour.handle, hour.wait
            self.events += hour.count - int(self.rows.get(window, (0,))[0])
            self.rows[window] = (hour.count, handle.p50, handle.p90, handle.p95, wait.p50, wait.p90, wait.p95)
            self.changed.add(window)
            if hour.final:
                self.final.add(window)


class Bench:
    """Measures points on one broker; `logs` is the folder of its topics."""

    def __init__(self, topics: Topics, logs: Path, told: Told) -> None:
        self._topics, self._logs, self._told = topics, logs, told
        self._starts: dict[tuple[int, str], float] = {}  # (partitions, store) -> CPU-seconds of a start without state

    def measure(self, point: Point) -> Growth | NoFigure:
        """Measure one point, within its time."""
        began = time.monotonic()
        try:
            limit = LIMIT_SECONDS + LIMIT_PER_EVENT * point.events + LIMIT_PER_PARTITION * point.partitions
            return self._measure(point, Deadline(limit))
        except (WrongResults, ProcessFailed, KafkaException, KafkaError, ConnectorError, OSError) as problem:
            return NoFigure(point, str(problem) or repr(problem))  # the other points have theirs
        finally:
            self._told(f"  {time.monotonic() - began:.0f} s for all of it")

    def _measure(self, point: Point, deadline: Deadline) -> Growth:
        stores = [MEMORY, ROCKSDB] if find_spec("rocksdb") else [MEMORY]
        for store in stores:
            self._start_cpu(point, store)
        self._fresh(point)
        traffic = Traffic(point)
        began = time.monotonic()
        self._topics.publish(_bounded(traffic.records(), deadline))
        ends = self._topics.ends(INTERACTIONS_COMPLETED.name)
        if (there := sum(ends.values())) != point.events:
            raise WrongResults(f"{point}: Kafka has {there:,} of {point.events:,} events")
        self._topics.publish(traffic.progress([ends[partition] for partition in range(point.partitions)]))
        truth = dict(traffic.rows())
        self._told(f"  {len(truth):,} windows; filled in {time.monotonic() - began:.0f} s")
        log = LogSize(self._logs, CHANGELOG.name)
        with closing(self._topics.follow(CAMPAIGN_HOURLY.name)) as outputs:
            published = Published(outputs)
            expected = {window for window in truth if traffic.final(window[1], int(LATENESS * 1000))}
            with self._worker(point, MEMORY) as process:
                address = process.ready()["http"]
                before, ready, next_look = beats.ask(address), process.seconds, 0.0
                while True:
                    process.check()
                    deadline.check(f"working: {published.events:,} events and {len(published.final):,} hours are done")
                    published.read_on()
                    log.look()
                    if published.events < point.events or not expected <= published.final:
                        continue
                    if time.monotonic() >= next_look:
                        if self._topics.finished([LEG]):
                            break
                        next_look = time.monotonic() + COMMIT_LOOK
                cpu, wall, peak = process.cpu_seconds, process.seconds - ready, process.peak_mb
                now = beats.ask(address)
                process.kill()
            start_cpu = self._starts[point.partitions, MEMORY]
            self._told(f"  {1e6 * (cpu - start_cpu) / point.events:.1f} µs of CPU an event, {peak:.0f} MB")
            require_equal(truth, published.rows, of=str(point))
            written, records = log.look(), sum(self._topics.ends(CHANGELOG.name).values())
            recovered = {store: self._recover(point, store, traffic, published, deadline) for store in stores}
        return Growth(
            point,
            windows=len(truth),
            us_an_event=1e6 * (cpu - start_cpu) / point.events,
            per_second=point.events / wall,
            start_cpu=start_cpu,
            peak_mb=peak,
            blocked=beats.blocked(now, before),
            changelog_bytes=written / point.events,
            changelog_records=records / len(truth),
            memory=recovered[MEMORY],
            rocksdb=recovered.get(ROCKSDB),
        )

    def _recover(
        self, point: Point, store: str, traffic: Traffic, published: Published, deadline: Deadline
    ) -> Recovery:
        """Start a worker after one that was killed, with one event more to count; kill it, too."""
        with tempfile.TemporaryDirectory(prefix="bench-state-") as folder:
            if store == ROCKSDB:  # one that reads the changelog, and leaves nothing to be missed
                self._topics.let_go(LEG.group)
                with self._worker(point, store, folder) as process:
                    process.ready(LIMIT_SECONDS)
                    process.kill()
            self._topics.let_go(LEG.group)
            with self._worker(point, store, folder) as process:
                address = process.ready(LIMIT_SECONDS)["http"]
                ready, cpu = process.seconds, process.cpu_seconds
                found = beats.ask(address)
                if found.keys < len(published.rows):
                    raise WrongResults(f"{point}: {found.keys:.0f} keys of {len(published.rows)} windows came back")
                time.sleep(REST_SECONDS)
                mb = process.mb
                self._one_more(point, traffic, published, process, deadline)
                process.kill()
        self._told(f"  {store}: {found.recovery:.2f} s to recover")
        return Recovery(
            seconds=found.recovery,
            ready=ready,
            us_a_window=1e6 * (cpu - self._starts[point.partitions, store]) / len(published.rows),
            mb=mb,
            blocked=beats.blocked(found),
        )

    def _one_more(
        self, point: Point, traffic: Traffic, published: Published, process: Process, deadline: Deadline
    ) -> None:
        """See that what came back is whole: one event more is in the window that it belongs to, and in no other."""
        published.changed.clear()
        wanted = published.events + 1
        window, records = traffic.late()
        self._topics.publish(iter(records))
        while published.events < wanted:
            process.check()
            deadline.check("counting one event more after a recovery")
            published.read_on()
        expected: Mapping[Window, Row] = {window: traffic.row(window)}
        found = {each: published.rows[each] for each in published.changed}
        require_equal(expected, found, of=f"{point}, one event after a recovery")

    def _start_cpu(self, point: Point, store: str) -> None:
        """Know what a start without state costs."""
        if (point.partitions, store) not in self._starts:
            self._fresh(point)
            with self._worker(point, store) as process:
                process.ready(LIMIT_SECONDS)
                self._starts[point.partitions, store] = process.cpu_seconds

    def _fresh(self, point: Point) -> None:
        several = (RAW_INTERACTIONS, INTERACTIONS_COMPLETED, CAMPAIGN_HOURLY, CHANGELOG)
        specs = [replace(spec, partitions=point.partitions) for spec in several]
        self._topics.fresh([*specs, EVENT_TIME, DEAD_LETTERS], [LEG.group])

    def _worker(self, point: Point, store: str, folder: str | None = None) -> Process:
        """Return a worker; what it keeps beside Kafka is in `folder`, or gone with it."""
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": self._topics.bootstrap,
            "KAFKA_CREATE_TOPICS": "false",
            "STREAMS_STORE": store,
            "STREAMS_LOOP_BEAT": str(BEAT),
            "STREAMS_WINDOW_RETENTION": str(3600 * point.hours),
            "STREAMS_ALLOWED_LATENESS": str(LATENESS),
            **({} if folder is None else {"STREAMS_DATA_DIR": folder}),
        }
        return Process((sys.executable, "-m", "streams", "worker", "percentiles"), settings)


def measure(points: Sequence[Point], topics: Topics, logs: Path, told: Told) -> list[Growth | NoFigure]:
    """Measure `points` one after another, and tell how far it is."""
    gc.set_threshold(*GC_THRESHOLD)
    bench, found = Bench(topics, logs, told), list[Growth | NoFigure]()
    for number, point in enumerate(points, 1):
        told(f"{number} of {len(points)}: {point}")
        found.append(bench.measure(point))
        if isinstance(latest := found[-1], NoFigure):
            told(f"  no figure: {latest.why}")
    return found


def _bounded(records: Iterator[Outgoing], deadline: Deadline) -> Iterator[Outgoing]:
    for number, record in enumerate(records):
        if number % BATCH == 0:
            deadline.check(f"filling the topic: {number:,} records are there")
        yield record
