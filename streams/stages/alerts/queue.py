"""The final minutes of one queue, and the alerts that were told of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from schemas.records import AlertRecord, MetricSnapshot
from streams.stages.alerts.rules import Rule
from streams.stages.alerts.series import MINUTE, NO_DATA, Alert, Minute, Progress, read, silence

OPEN, RESOLVED, RETRACTED = "open", "resolved", "retracted"
RETRACTED_FOR = 10_080 * MINUTE  # kept: as long as the longest row of minutes above that a rule may ask for

# A minute as it is kept: revision, events, interactions, average handle time, average wait time, active agents. An
# average is None where no event named such a time: 0 is a time, too.
Row = tuple[int, int, int, float | None, float | None, int]
_METRIC = {"events": 1, "interactions": 2, "avg_handle_time": 3, "avg_wait_time": 4, "active_agents": 5}


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it was last told, by the rule with this digest, in this flush."""

    record: AlertRecord
    digest: str
    flush: int


@dataclass(slots=True)
class Queue:
    """`minutes` by their start, from `until` on; what came before is in the progress of each rule (by name)."""

    name: str
    until: int = 0
    minutes: dict[int, Row] = field(default_factory=dict)
    before: dict[str, tuple[str, Progress]] = field(default_factory=dict)  # rule -> digest, progress
    told: dict[str, Told] = field(default_factory=dict)  # alert id -> how it was told

    def take(self, row: MetricSnapshot) -> bool:
        """Take a final minute, unless it is too old, or as new as what is known. Returns whether it was taken."""
        known = self.minutes.get(row.window)
        if row.window < self.until or (known is not None and row.revision <= known[0]):
            return False
        self.minutes[row.window] = (
            row.revision,
            row.events,
            row.interactions,
            None if row.handles == 0 else row.avg_handle_time,
            None if row.waits == 0 else row.avg_wait_time,
            row.active_agents,
        )
        return True

    def tell(self, rules: Sequence[Rule], latest: int, flush: int) -> list[AlertRecord]:
        """Return what is new to tell, now that the newest final minute of all queues is `latest`."""
        now = {alert.alert_id: (alert, digest) for alert, digest in self._all(rules, latest)}
        digests = {rule.name: rule.digest for rule in rules}
        new = []
        for name, (alert, digest) in now.items():
            told = self.told.get(name)
            revision = 0 if told is None else told.record.revision
            if told is None or told.record != replace(alert, revision=revision):
                new.append(Told(replace(alert, revision=revision + 1), digest, flush))
        for name, told in self.told.items():
            record = told.record
            # What another rule has found and resolved has been so, and what lies before `until`.
            same = told.digest == digests.get(record.rule) and not _settled(record, self.until)
            if name not in now and (record.state == OPEN or (record.state == RESOLVED and same)):
                retracted = replace(record, state=RETRACTED, resolved_at=None, revision=record.revision + 1)
                new.append(Told(retracted, told.digest, flush))
        self.told |= {each.record.alert_id: each for each in new}
        return [each.record for each in new]

    def forget(self, rules: Sequence[Rule], cutoff: int, flush: int) -> list[int]:
        """Let minutes before `cutoff` be as they are. Returns their starts. What `flush` tells is not forgotten yet."""
        gone = sorted(start for start in self.minutes if start < cutoff)
        for rule in rules:
            if rule.watches(self.name):
                _, progress = read(rule, self._before(rule), self._values(rule, cutoff))
                self.before[rule.name] = rule.digest, progress
        names = {rule.name for rule in rules}
        self.before = {name: kept for name, kept in self.before.items() if name in names}
        for start in gone:
            del self.minutes[start]
        self.until = max(self.until, cutoff)
        settled = [name for name, told in self.told.items() if told.flush < flush and _settled(told.record, self.until)]
        for name in settled:
            del self.told[name]
        return gone

    @property
    def idle(self) -> bool:
        """Whether nothing of it has to be kept."""
        waits = any(progress.above or progress.open for _, progress in self.before.values())
        return not self.minutes and not self.told and not waits

    def last(self) -> int:
        """Return the start of its newest minute."""
        passed = [progress.last or 0 for _, progress in self.before.values()]
        return max([*self.minutes, *passed], default=0)

    def _all(self, rules: Sequence[Rule], latest: int) -> Iterator[tuple[AlertRecord, str]]:
        for rule in rules:
            if rule.watches(self.name):
                resolved, progress = read(rule, self._before(rule), self._values(rule))
                quiet = silence(rule, progress.last, latest)
                found = [*resolved, *(alert for alert in (progress.open, quiet) if alert is not None)]
                yield from ((self._record(rule, alert), rule.digest) for alert in found)

    def _before(self, rule: Rule) -> Progress:
        digest, progress = self.before.get(rule.name, ("", Progress()))
        return progress if digest == rule.digest else Progress()

    def _values(self, rule: Rule, end: int | None = None) -> Iterator[Minute]:
        place = _METRIC[rule.metric]
        for start in sorted(self.minutes):
            row = self.minutes[start]
            if row[1] and (end is None or start < end):
                value = row[place]
                yield Minute(start, None if value is None else float(value), row[2])

    def _record(self, rule: Rule, alert: Alert) -> AlertRecord:
        named = orjson.dumps([rule.name, alert.metric, self.name, alert.opened_at])
        return AlertRecord(
            alert_id=blake2b(named, digest_size=8).hexdigest(),
            rule=rule.name,
            metric=alert.metric,
            queue=self.name,
            state=OPEN if alert.resolved_at is None else RESOLVED,
            severity=alert.severity,
            value=alert.value,
            threshold=float(rule.no_data or 0) if alert.metric == NO_DATA else rule.threshold,
            opened_at=alert.opened_at,
            resolved_at=alert.resolved_at,
            updated=alert.updated,
            revision=0,
        )

    def stored(self) -> dict[str, Any]:
        """Return what `restored` reads, in JSON's types, but for the minutes."""
        return {
            "until": self.until,
            "before": {name: [digest, asdict(progress)] for name, (digest, progress) in self.before.items()},
            "told": [[asdict(told.record), told.digest, told.flush] for told in self.told.values()],
        }

    @classmethod
    def restored(cls, name: str, stored: Mapping[str, Any]) -> "Queue":
        queue = cls(name, stored["until"])
        for rule, (digest, progress) in stored["before"].items():
            opened = progress["open"]
            was_open = None if opened is None else Alert(**opened)
            queue.before[rule] = digest, Progress(**{**progress, "open": was_open})
        for record, digest, flush in stored["told"]:
            queue.told[record["alert_id"]] = Told(AlertRecord(**record), digest, flush)
        return queue


def _settled(record: AlertRecord, until: int) -> bool:
    """Whether no minute from `until` on can change an alert any more."""
    if record.state == RESOLVED:
        return record.resolved_at is not None and record.resolved_at <= until
    return record.state == RETRACTED and record.opened_at + RETRACTED_FOR <= until
