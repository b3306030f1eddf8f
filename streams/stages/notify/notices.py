"""Records of alerts -> whom to tell what: each change once it is known, and what is open again from time to time."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import inf, isfinite

import orjson

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import LONGEST_QUEUE, AlertRecord
from schemas.topics import ALERTS
from streams.core.contract import Change, Chunk, Flush
from streams.core.times import END_OF_TIME

STAGE = "notify"
META = b""  # key of a partition's own record: the last offset that is told
OPEN = "open"
LONGEST_ID = 200  # characters; ours are 16
LONGEST_WORD = 64  # characters of a rule, metric, state or severity

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"
REFUSED = "refused by the receiver"


@dataclass(frozen=True, slots=True)
class Told:
    """A record to tell of: `was` are other severities that the receiver may have it open under."""

    record: AlertRecord
    source: Record
    partition: int
    was: frozenset[str]

    def refused(self, words: str) -> Outgoing:
        """Return the dead letter of a record that the receiver refuses, with its words."""
        return _dead(self.partition, self.source, REFUSED, words)


@dataclass(slots=True)
class Telling(Flush):
    """A flush with what to tell before it is written: changes, and open alerts that are told again."""

    changes: list[Told] = field(default_factory=list)
    again: list[AlertRecord] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.state or self.outputs or self.seal or self.changes or self.again)


class Notices:
    """The alerts of one partition (there is one). Of several records of an alert only the newest is told.

    The others count as told all the same: a worker that was killed may have told any of them, and not noted it.
    Stored are the open alerts that the receiver knows, and how far the topic is told. `resend` in seconds; None: what
    is open is told once.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        resend: float | None,
        decode: Callable[[bytes], AlertRecord],
    ) -> None:
        self._partition, self._resend, self._decode = partition, resend, decode
        meta = orjson.loads(stored.get(META, b"{}"))
        self._position: int = meta.get("position", -1)
        self.open = {key.decode(): AlertRecord(**orjson.loads(value)) for key, value in stored.items() if key != META}
        self._told_at = -inf  # seconds: when all that is open was told last, by this worker
        self._new: dict[str, tuple[AlertRecord, Record]] = {}
        self._passed: defaultdict[str, set[str]] = defaultdict(set)  # severities that new records have it open under
        self._refused: list[Outgoing] = []
        self._told_until = self._position

    def fold(self, chunk: Chunk) -> int:
        """Take the records of a chunk. Returns how many were refused."""
        refused = len(self._refused)
        for record in chunk.records:
            if record.offset <= self._position:
                continue
            self._position = record.offset
            if record.value is None:
                continue  # compaction's tombstone
            alert = self._read(record)
            if alert is None:
                continue
            known = self._new[alert.alert_id][0] if alert.alert_id in self._new else self.open.get(alert.alert_id)
            if known is None or alert.revision > known.revision:
                self._new[alert.alert_id] = alert, record
                if alert.state == OPEN:
                    self._passed[alert.alert_id].add(alert.severity)
        return len(self._refused) - refused

    def flush(self, now: float, *, seal: bool = True) -> Telling:  # noqa: ARG002 - nothing is eager
        """Return what to tell and what is stored when that is done. `now` in seconds since the epoch."""
        flush = Telling(outputs=self._refused)
        for name, (alert, source) in self._new.items():
            known = self.open.pop(name, None)
            under = self._passed[name] | ({known.severity} if known is not None else set())
            if under or self._resend is None:
                flush.changes.append(Told(alert, source, self._partition, frozenset(under - {alert.severity})))
            if alert.state == OPEN:
                self.open[name] = alert
                flush.seal.append(Change(name.encode(), orjson.dumps(asdict(alert))))
            elif known is not None:
                flush.seal.append(Change(name.encode(), None))
        if self._resend is not None and now - self._told_at >= self._resend:
            self._told_at = now
            flush.again = [alert for name, alert in self.open.items() if name not in self._new]
        if self._position > self._told_until:
            meta = {"position": self._position}
            flush.seal.append(Change(META, orjson.dumps(meta)))
        self._new, self._refused, self._told_until = {}, [], self._position
        self._passed.clear()
        return flush

    def _read(self, record: Record) -> AlertRecord | None:
        try:
            alert = self._decode(record.value or b"")
        except DecodeError as error:
            self._refused.append(_dead(self._partition, record, UNDECODABLE, str(error)))
            return None
        if problem := _out_of_range(alert):
            self._refused.append(_dead(self._partition, record, OUT_OF_RANGE, problem))
            return None
        return alert


def _out_of_range(alert: AlertRecord) -> str | None:
    times = (alert.opened_at, alert.updated, alert.resolved_at or 0)
    if not all(0 <= time < END_OF_TIME for time in times) or not _is_id(alert.alert_id):
        return f"an alert has an id (1 to {LONGEST_ID} printable ASCII characters), and times from 1970 to 9999"
    if not isfinite(alert.value) or not isfinite(alert.threshold):
        return "an alert's value and threshold are finite numbers"
    words = (alert.rule, alert.metric, alert.state, alert.severity)
    if len(alert.queue) > LONGEST_QUEUE or max(map(len, words)) > LONGEST_WORD:
        return f"a queue's id has at most {LONGEST_QUEUE:,} characters, and an alert's words at most {LONGEST_WORD}"
    return None


def _is_id(text: str) -> bool:
    """Return whether `text` may be an alert's id: a webhook gets it in a header."""
    return 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable() and text == text.strip()


def _dead(partition: int, record: Record, reason: str, detail: str) -> Outgoing:
    return dead_letter(ALERTS.name, partition, record, stage=STAGE, reason=reason, detail=detail)
