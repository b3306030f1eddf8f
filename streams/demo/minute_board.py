"""What the topics and the simulator's ledgers say about minutes and alerts. No I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE
from schemas.records import AlertRecord, MetricSnapshot

DEAD_STAGES = {"connect analytics", "analytics", "partials", "snapshots", "alerts", "notify", "sqlite"}


@dataclass(slots=True)
class Minutes:
    """`rows` by window and queue, `alerts` by id: the newest revision of each. `ledger` has the simulator's counts."""

    rows: dict[tuple[int, str], MetricSnapshot] = field(default_factory=dict)
    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    ledger: Mapping[str, Any] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)  # source position -> reason

    @property
    def dead_letters(self) -> Counter[str]:
        """Return how many records were refused by reason."""
        return Counter(self.dead.values())

    @property
    def open(self) -> Sequence[AlertRecord]:
        """Return the open alerts, the oldest first."""
        found = [alert for alert in self.alerts.values() if alert.state == "open"]
        return sorted(found, key=lambda alert: (alert.opened_at, alert.alert_id))

    def current(self) -> Sequence[MetricSnapshot]:
        """Return the rows of the newest minute: over all queues first, then each queue."""
        newest = max((window for window, _ in self.rows), default=None)
        return [self.rows[key] for key in sorted(self.rows) if key[0] == newest]

    def minute(self, row: MetricSnapshot) -> None:
        """Take a row of cxone.metrics.snapshots."""
        known = self.rows.get((row.window, row.queue))
        if known is None or row.revision >= known.revision:
            self.rows[row.window, row.queue] = row

    def alert(self, record: AlertRecord) -> None:
        """Take a record of cxone.alerts."""
        known = self.alerts.get(record.alert_id)
        if known is None or record.revision >= known.revision:
            self.alerts[record.alert_id] = record

    def dead_letter(self, headers: Mapping[str, bytes]) -> None:
        """Take a record of cxone.dead-letters that one of `DEAD_STAGES` wrote."""
        self.dead[headers[DEAD_SOURCE].decode()] = headers[DEAD_REASON].decode()
