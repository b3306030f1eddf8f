"""Final minutes -> alerts: what each flush has to write.

The alerts are a function of the minutes that are known, whatever order they came in. With each new minute of a queue
its alerts are found anew, and what differs from what was told is told. So a late event amends or retracts an alert, and
a replay tells nothing again. Minutes may be revised for `revise_for`, in event time; then they stay as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

import orjson
from prometheus_client import Counter, Gauge

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import LONGEST_QUEUE, AlertRecord, MetricSnapshot
from schemas.topics import ALERTS, METRICS_SNAPSHOTS
from streams.core.contract import Change, Chunk, Flush
from streams.core.times import END_OF_TIME
from streams.stages.alerts.queue import OPEN, Queue, Row
from streams.stages.alerts.rules import Rule
from streams.stages.alerts.series import CRITICAL, MINUTE, WARNING

STAGE = "alerts"
META = b""  # key of a partition's own record: which flush is complete, and the newest final minute
STEP = 30 * MINUTE  # minutes are let go of together, so that a queue's record is not written every minute
FORGOTTEN = 7 * 24 * 60 * MINUTE  # a queue without events for so long is no queue any more: its alerts are retracted
AHEAD = 24 * 60 * MINUTE  # a minute that is further ahead of its own record is none

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"

MINUTES = Counter("cxone_alerts_minutes", "Final minutes by what became of them.", ["outcome"])
TOLD = Counter("cxone_alerts_told", "Records of alerts written.", ["state"])
OPEN_NOW = Gauge("cxone_alerts_open", "Alerts that are open.", ["severity"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`revise_for` in milliseconds of event time."""

    rules: tuple[Rule, ...]
    revise_for: int


class Alerts:
    """The queues of one partition of minutes (there is one).

    Stored are each minute under `m|start|queue`, each queue's alerts and past under `s|queue`, and with the seal which
    flush is complete. A kill in between: what was stored and maybe not told is told again, word for word.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        policy: Policy,
        decode: Callable[[bytes], MetricSnapshot],
        encode: Callable[[AlertRecord], bytes],
    ) -> None:
        self._partition, self._policy, self._decode, self._encode = partition, policy, decode, encode
        meta = orjson.loads(stored.get(META, b"{}"))
        self._flush: int = meta.get("flush", 0)  # the last that was completed
        self.latest: int = meta.get("latest", 0)  # the newest final minute of all queues
        self.queues: dict[str, Queue] = {}
        self._stale: list[bytes] = []  # keys of what a kill kept from being deleted
        self._restore(stored)
        self._again = [
            told.record for queue in self.queues.values() for told in queue.told.values() if told.flush > self._flush
        ]
        self._new: dict[tuple[str, int], Row] = {}  # minutes since the last flush
        self._look_at = set(self.queues)  # queues whose alerts may be others now
        self._told_until = self.latest
        self._refused: list[Outgoing] = []
        self._count_open()

    def _restore(self, stored: Mapping[bytes, bytes]) -> None:
        minutes: list[tuple[bytes, int, str, Row]] = []
        for key, value in stored.items():
            kind, _, rest = key.partition(b"|")
            if kind == b"s":
                self.queues[rest.decode()] = Queue.restored(rest.decode(), orjson.loads(value))
            elif kind == b"m":
                at, _, named = rest.partition(b"|")
                revision, events, interactions, handle, wait, agents = orjson.loads(value)
                minutes.append((key, int(at), named.decode(), (revision, events, interactions, handle, wait, agents)))
        for key, start, name, row in minutes:
            queue = self.queues.setdefault(name, Queue(name))
            if start < queue.until:
                self._stale.append(key)
            else:
                queue.minutes[start] = row
                self.latest = max(self.latest, start)

    def fold(self, chunk: Chunk) -> int:
        """Take the final minutes of a chunk. Returns how many records were refused."""
        refused = len(self._refused)
        for record in chunk.records:
            if record.value is None:
                continue  # compaction's tombstone
            row = self._read(record)
            if row is None or not row.final:
                continue
            queue = self.queues.get(row.queue)
            if queue is None:
                queue = self.queues[row.queue] = Queue(row.queue, until=self._cutoff())
            taken = queue.take(row)
            MINUTES.labels("taken" if taken else "late" if row.window < queue.until else "known").inc()
            if taken:
                self._new[row.queue, row.window] = queue.minutes[row.window]
                self._look_at.add(row.queue)
                self.latest = max(self.latest, row.window)
        return len(self._refused) - refused

    def flush(self, _now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - it goes out whole or not at all
        """Return new minutes, and of each queue whose alerts or past have changed its record; then the alerts."""
        number = self._flush + 1
        if self.latest > self._told_until:  # where nothing came, silence has grown
            self._look_at |= {name for name in self.queues if self._notices_silence(name)}
        told: list[AlertRecord] = []
        written: set[str] = set()
        for name in sorted(self._look_at):
            if new := self.queues[name].tell(self._policy.rules, self.latest, number):
                told += new
                written.add(name)
        gone = self._let_go(told, written, number)
        flush = Flush(
            state=[
                *(Change(_minute_key(start, name), orjson.dumps(row)) for (name, start), row in self._new.items()),
                *(Change(b"s|" + name.encode(), orjson.dumps(self.queues[name].stored())) for name in sorted(written)),
            ],
            outputs=[*(self._publish(record) for record in (*self._again, *told)), *self._refused],
        )
        if flush.state or flush.outputs or gone or self.latest > self._told_until:
            self._flush = number
            meta = {"flush": number, "latest": self.latest}
            flush.seal = [Change(META, orjson.dumps(meta)), *(Change(key, None) for key in gone)]
        for record in told:
            TOLD.labels(record.state).inc()
        if told:
            self._count_open()
        self._new, self._again, self._refused, self._look_at = {}, [], [], set()
        self._told_until = self.latest
        return flush

    def open(self) -> list[AlertRecord]:
        """Return the alerts that are open."""
        return [
            told.record for queue in self.queues.values() for told in queue.told.values() if told.record.state == OPEN
        ]

    def _count_open(self) -> None:
        severities = [record.severity for record in self.open()]
        for severity in (WARNING, CRITICAL):
            OPEN_NOW.labels(severity).set(severities.count(severity))

    def _cutoff(self) -> int:
        return max(0, (self.latest - self._policy.revise_for) // STEP * STEP)

    def _let_go(self, told: list[AlertRecord], written: set[str], number: int) -> list[bytes]:
        """Let old minutes be as they are, and queues without any be gone. Returns the keys of what is not kept."""
        cutoff, gone = self._cutoff(), self._stale
        self._stale = []
        for name, queue in list(self.queues.items()):
            if queue.until < cutoff:
                gone += (_minute_key(start, name) for start in queue.forget(self._policy.rules, cutoff, number))
                written.add(name)
            old = self.latest - queue.last() > FORGOTTEN
            if old:
                told += queue.tell((), self.latest, number)
            if old or (queue.idle and not self._notices_silence(name)):
                del self.queues[name]
                written.discard(name)
                gone.append(b"s|" + name.encode())
        return [*dict.fromkeys(gone)]

    def _notices_silence(self, queue: str) -> bool:
        return any(rule.no_data is not None and rule.watches(queue) for rule in self._policy.rules)

    def _read(self, record: Record) -> MetricSnapshot | None:
        try:
            row = self._decode(record.value or b"")
        except DecodeError as error:
            self._refuse(record, UNDECODABLE, str(error))
            return None
        if problem := _out_of_range(row, record.timestamp + AHEAD):
            self._refuse(record, OUT_OF_RANGE, problem)
            return None
        return row

    def _publish(self, record: AlertRecord) -> Outgoing:
        return Outgoing(ALERTS.name, record.alert_id.encode(), self._encode(record), (), 0)

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        self._refused.append(
            dead_letter(METRICS_SNAPSHOTS.name, self._partition, record, stage=STAGE, reason=reason, detail=detail)
        )


def _out_of_range(row: MetricSnapshot, ahead: int) -> str | None:
    if row.window % MINUTE or not 0 <= row.window < min(END_OF_TIME, ahead):
        return "a window is a minute until tomorrow"
    if not isfinite(row.avg_handle_time) or not isfinite(row.avg_wait_time):
        return "an average is a finite number"
    if len(row.queue) > LONGEST_QUEUE:
        return f"a queue's id has at most {LONGEST_QUEUE:,} characters"
    return None


def _minute_key(start: int, queue: str) -> bytes:
    return f"m|{start}|{queue}".encode()
