"""Minutes and alerts, as the topics and a SQLite file have them, beside a batch computation over what was sent."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from connectors.errors import SinkError
from connectors.sinks.sqlite import history
from schemas.avro import Codec
from schemas.records import AlertRecord, MetricSnapshot
from schemas.releases import FileSchemaIds
from schemas.topics import ALERTS, METRICS_SNAPSHOTS
from streams.demo.judges.minutes import Figures, Key, judge
from tests.kafka.judges.hours import read
from tests.support.minute_rows import ask

T = TypeVar("T", MetricSnapshot, AlertRecord)
Minutes = dict[Key, MetricSnapshot]
Alerts = dict[str, AlertRecord]


def published(bootstrap: str) -> tuple[Minutes, Alerts]:
    """Return what the topics say: of each minute and of each alert the record with the highest revision."""
    codec = Codec(FileSchemaIds())
    minutes = _newest(bootstrap, METRICS_SNAPSHOTS.name, codec.decoder(MetricSnapshot))
    alerts = _newest(bootstrap, ALERTS.name, codec.decoder(AlertRecord))
    return {(row.window, row.queue): row for row in minutes}, {alert.alert_id: alert for alert in alerts}


def _newest(bootstrap: str, topic: str, decode: Callable[[bytes], T]) -> list[T]:
    newest: dict[bytes, T] = {}
    for record in read(bootstrap, topic):
        found = decode(record.value())
        if record.key() not in newest or found.revision > newest[record.key()].revision:
            newest[record.key()] = found
    return list(newest.values())


def stored(path: Path) -> tuple[Minutes, Alerts]:
    """Return what a file says."""
    minutes = [
        MetricSnapshot(
            _ms(row.window),
            row.queue,
            row.total_interactions,
            row.interactions,
            row.avg_handle_time,
            row.avg_wait_time,
            row.active_agents,
            row.revision,
            row.final,
            row.exact,
            0,
        )
        for row in history.minutes(path, "", None)
    ]
    alerts = [
        AlertRecord(
            row.alert_id,
            row.rule,
            row.metric,
            row.queue,
            row.state,
            row.severity,
            row.value,
            row.threshold,
            _ms(row.opened_at),
            None if row.resolved_at is None else _ms(row.resolved_at),
            _ms(row.updated),
            ask(path, "SELECT revision FROM alerts WHERE alert_id = ?", row.alert_id)[0],
        )
        for row in history.alerts(path, only_open=False)
    ]
    # In one statement: rows are written meanwhile
    [(rows, different)] = ask(path, "SELECT count(*), count(DISTINCT alert_id) FROM alerts")
    assert rows == different
    return {(row.window, row.queue): row for row in minutes}, {alert.alert_id: alert for alert in alerts}


def _ms(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def mistakes(expected: Mapping[Key, Figures], path: Path) -> list[str]:
    """Compare a file with what was sent: a sentence for each difference."""
    try:
        rows, alerts = stored(path)
    except SinkError as not_yet:
        return [str(not_yet)]
    unfinished = [f"{key} is not final" for key in expected if key in rows and not rows[key].final]
    return [*judge(expected, rows, alerts.values()).mismatches, *unfinished]


def differences(bootstrap: str, path: Path) -> list[str]:
    """Compare a file with the topics: a sentence for each row that is not the newest record of its key."""
    wrong = []
    rows, alerts = stored(path)
    of_topics, alerts_of_topics = published(bootstrap)
    for key in rows.keys() | of_topics.keys():
        row, record = rows.get(key), of_topics.get(key)
        if row is None or record is None or (row.revision, row.events) != (record.revision, record.events):
            wrong.append(f"{key} is {row} in the file and {record} on the topic")
    wrong += [
        f"{name} is {alerts.get(name)} in the file and {alerts_of_topics.get(name)} on the topic"
        for name in alerts.keys() | alerts_of_topics.keys()
        if alerts.get(name) != alerts_of_topics.get(name)
    ]
    return wrong
