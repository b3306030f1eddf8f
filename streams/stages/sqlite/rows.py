"""Minutes and alerts -> rows of the SQLite file. Upserts by a natural key, so of several only the newest is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import AlertRecord, MetricSnapshot
from schemas.topics import ALERTS, METRICS_SNAPSHOTS, MINUTE_MS
from streams.core.contract import Chunk, Flush
from streams.core.times import iso

STAGE = "sqlite"
UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"
REFUSED = "refused by SQLite"

SNAPSHOTS, OF_ALERTS = "metric_snapshots", "alerts"  # tables

Values = Mapping[str, str | int | float | None]


class Revised(Protocol):
    """A record of which the highest revision counts."""

    @property
    def revision(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What the records of one topic become: rows of `table`, one for each value of `key`.

    `values` raises ValueError or OverflowError for what the table has no place for.
    """

    table: str
    decode: Callable[[bytes], Any]
    key: Callable[[Any], object]
    values: Callable[[Any], Values]


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write, and the record that it came from."""

    table: str
    values: Values
    revision: int
    source: tuple[str, int, Record]  # topic, partition

    def refused(self, detail: str) -> Outgoing:
        return _refuse(*self.source, REFUSED, detail)


@dataclass(slots=True)
class Batch(Flush):
    """A flush of the sink: rows to write, dead letters to publish, and how far the partition is read with them."""

    rows: list[Row] = field(default_factory=list)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)  # (topic, partition) -> the next offset

    def __bool__(self) -> bool:
        return bool(self.positions)


class Rows:
    """The rows of one partition since the last flush. Nothing is stored: the file says how far it is read."""

    def __init__(self, feeds: Mapping[str, Feed]) -> None:
        self._feeds = feeds
        self._rows: dict[tuple[str, object], Row] = {}
        self._refused: list[Outgoing] = []
        self._positions: dict[tuple[str, int], int] = {}

    def fold(self, chunk: Chunk) -> int:
        """Turn records into rows. Returns how many were refused."""
        refused_before, feed = len(self._refused), self._feeds[chunk.topic]
        for record in chunk.records:
            self._positions[chunk.topic, chunk.partition] = record.offset + 1
            if record.value is None:
                continue  # compaction's tombstone; the file has an age limit of its own
            try:
                found = feed.decode(record.value)
                row = Row(feed.table, feed.values(found), found.revision, (chunk.topic, chunk.partition, record))
            except DecodeError as error:
                self._refused.append(_refuse(chunk.topic, chunk.partition, record, UNDECODABLE, str(error)))
            except (ValueError, OverflowError) as error:
                self._refused.append(_refuse(chunk.topic, chunk.partition, record, OUT_OF_RANGE, str(error)))
            else:
                key = feed.table, feed.key(found)
                before = self._rows.get(key)
                if before is None or row.revision > before.revision:
                    self._rows[key] = row
        return len(self._refused) - refused_before

    def flush(self, _now: float, *, seal: bool) -> Batch:  # noqa: ARG002 - there is nothing to seal
        batch = Batch(outputs=self._refused, rows=list(self._rows.values()), positions=self._positions)
        self._rows, self._refused, self._positions = {}, [], {}
        return batch


def snapshot_values(row: MetricSnapshot) -> Values:
    """Return the columns of a minute. Raises ValueError or OverflowError when one has no place in the file."""
    return {
        "timestamp": iso(row.window + MINUTE_MS),
        "total_interactions": row.events,
        "avg_handle_time": _finite(row.avg_handle_time),
        "avg_wait_time": _finite(row.avg_wait_time),
        "active_agents": row.active_agents,
        "window": iso(row.window),
        "queue": row.queue,
        "interactions": row.interactions,
        "revision": row.revision,
        "final": int(row.final),
        "exact": int(row.exact),
        "heard": row.heard,
    }


def alert_values(alert: AlertRecord) -> Values:
    """Return the columns of an alert. Raises as `snapshot_values`."""
    return {
        "timestamp": iso(alert.updated),
        "metric": alert.metric,
        "value": _finite(alert.value),
        "threshold": _finite(alert.threshold),
        "severity": alert.severity,
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "queue": alert.queue,
        "state": alert.state,
        "opened_at": iso(alert.opened_at),
        "resolved_at": None if alert.resolved_at is None else iso(alert.resolved_at),
        "revision": alert.revision,
    }


def feeds(
    decode_snapshot: Callable[[bytes], MetricSnapshot], decode_alert: Callable[[bytes], AlertRecord]
) -> Mapping[str, Feed]:
    """Return what the records of each topic become."""
    return {
        METRICS_SNAPSHOTS.name: Feed(
            table=SNAPSHOTS, decode=decode_snapshot, key=lambda row: (row.window, row.queue), values=snapshot_values
        ),
        ALERTS.name: Feed(table=OF_ALERTS, decode=decode_alert, key=lambda alert: alert.alert_id, values=alert_values),
    }


def _finite(number: float) -> float:
    if not isfinite(number):
        raise ValueError("SQLite keeps finite numbers only")
    return number


def _refuse(topic: str, partition: int, record: Record, reason: str, detail: str) -> Outgoing:
    return dead_letter(topic, partition, record, stage=STAGE, reason=reason, detail=detail)
