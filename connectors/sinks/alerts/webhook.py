"""Alerts -> a webhook of the user's: one POST for each change, with an Idempotency-Key."""

from collections.abc import Sequence

from connectors.sinks.alerts.alertmanager import iso
from connectors.sinks.alerts.receiver import Notice, Posting


class Webhook:
    """The webhook behind `posting`. The body is the record, its times as ISO 8601 text in UTC."""

    most = 1
    resend = None

    def __init__(self, posting: Posting) -> None:
        self._posting = posting

    async def tell(self, notices: Sequence[Notice], now: float) -> str | None:  # noqa: ARG002 - as `Receiver.tell`
        """As `Receiver.tell`, of one alert. The key is the same for the same revision of an alert."""
        (notice,) = notices
        record = notice.record
        content = {
            "alert_id": record.alert_id,
            "rule": record.rule,
            "metric": record.metric,
            "queue": record.queue,
            "state": record.state,
            "severity": record.severity,
            "value": record.value,
            "threshold": record.threshold,
            "opened_at": iso(record.opened_at),
            "resolved_at": None if record.resolved_at is None else iso(record.resolved_at),
            "updated": iso(record.updated),
            "revision": record.revision,
        }
        return await self._posting.post(content, f"{record.alert_id}-{record.revision}")

    async def close(self) -> None:
        await self._posting.close()
