"""Alerts -> a Prometheus Alertmanager, by its API v2. Silences, grouping and routing are its job.

An alert is known to Alertmanager by its labels: rule (`alertname`), metric, queue, severity and `alert_id`. One that
becomes critical is therefore another one there: the warning ends in the same request. Open alerts carry an end three
times `resend` ahead: Alertmanager forgets them when nobody tells it of them for so long. Those that are over carry the
time when that was.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.sinks.alerts.receiver import Notice, Posting
from schemas.records import AlertRecord

FORGOTTEN_AFTER = 3  # times `resend`
OPEN, RETRACTED = "open", "retracted"


class Alertmanager:
    """The Alertmanager behind `posting`, which is told of open alerts every `resend` seconds."""

    most = 500

    def __init__(self, posting: Posting, *, resend: float) -> None:
        self._posting = posting
        self.resend = resend

    async def tell(self, notices: Sequence[Notice], now: float) -> str | None:
        """As `Receiver.tell`."""
        return await self._posting.post([entry for each in notices for entry in entries(each, now, self.resend)])

    async def close(self) -> None:
        await self._posting.close()


def entries(notice: Notice, now: float, resend: float) -> Iterator[dict[str, Any]]:
    """Yield what Alertmanager's `POST /api/v2/alerts` takes: an alert, and its end under others that it may have."""
    record, now_ms = notice.record, int(now * 1000)
    for severity in sorted(notice.was):
        yield _entry(record, severity, max(record.updated, record.opened_at + 1))
    if record.state == OPEN:
        ends_at = now_ms + int(FORGOTTEN_AFTER * resend * 1000)
    else:
        ends_at = now_ms if record.state == RETRACTED or record.resolved_at is None else record.resolved_at
    yield _entry(record, record.severity, max(ends_at, record.opened_at + 1))


def _entry(record: AlertRecord, severity: str, ends_at: int) -> dict[str, Any]:
    where = f"queue {record.queue}" if record.queue else "all queues"
    note = " Late events have shown that it never was." if record.state == RETRACTED else ""
    queue = {"queue": record.queue} if record.queue else {}
    return {
        "labels": {
            "alertname": record.rule,
            "alert_id": record.alert_id,
            "metric": record.metric,
            "severity": severity,
            **queue,
        },
        "annotations": {
            "summary": f"{record.metric} of {where}: {record.value:g} (threshold {record.threshold:g}).{note}",
            "value": f"{record.value:g}",
            "threshold": f"{record.threshold:g}",
        },
        "startsAt": iso(record.opened_at),
        "endsAt": iso(ends_at),
    }


def iso(milliseconds: int) -> str:
    """Return a time as ISO 8601 text in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
