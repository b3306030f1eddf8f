r"""Alerts of one rule on one queue: a pure function of final minutes in the order of event time.

value        threshold ──────────╭─╮───────╭╮──────────────
clear_below ──╭─────╯─╰───────╯╰──╮───────────
╯                   ╰───────────
minutes           . . . .  . b a a a b b b a a b c c . . .    a above, c clear, b between
alert                          └── opened_at            └ resolved_at: the end of the second clear minute
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from streams.stages.alerts.rules import Rule

MINUTE = 60_000  # ms
WARNING, CRITICAL = "warning", "critical"
NO_DATA = "no_data"  # stands in place of a metric


@dataclass(frozen=True, slots=True)
class Minute:
    """A final minute of one queue that has events. `start` in milliseconds since the epoch.

    `value` is None where none of the events says anything of the rule's metric.
    """

    start: int
    value: float | None
    interactions: int


@dataclass(frozen=True, slots=True)
class Alert:
    """What the rule says of the minutes until now. Times in milliseconds since the epoch.

    `value` is the highest value while open (of no data: how many minutes were empty when it opened) and `severity` what
    it amounts to, both as of the minute `updated`: that opened it, made it critical, told it again or resolved it.
    """

    metric: str
    opened_at: int
    severity: str
    value: float
    updated: int
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known after a minute. `last` is its start; `above` minutes in a row, since `since`, are above.

    While an alert is open, `cleared` minutes have been clear since it was last not clear, and `peak` is the highest
    value; `peak` belongs to the row of minutes above before.
    """

    last: int | None = None
    above: int = 0
    since: int = 0
    peak: float = 0.0
    cleared: int = 0
    open: Alert | None = None


def read(rule: Rule, begin: Progress, minutes: Iterable[Minute]) -> tuple[list[Alert], Progress]:
    """Return the alerts that were resolved in `minutes`, in order, and where that leads.

    `minutes` rise, and are later than `begin.last`. An alert that is still open is in the progress.
    """
    resolved: list[Alert] = []
    at = begin
    for minute in minutes:
        resolved += _gap(rule, at.last, minute.start)
        at = _next(rule, at, minute)
        if at.open is not None and at.open.resolved_at is not None:
            resolved.append(at.open)
            at = Progress(last=minute.start)
    return resolved, at


def silence(rule: Rule, last: int | None, until: int) -> Alert | None:
    """Return the alert that there is no data: minutes after `last` and before `until` have none."""
    if rule.no_data is None or last is None or until - last <= rule.no_data * MINUTE:
        return None
    opened_at = last + MINUTE
    return Alert(NO_DATA, opened_at, WARNING, float(rule.no_data), opened_at + (rule.no_data - 1) * MINUTE)


def _gap(rule: Rule, last: int | None, start: int) -> list[Alert]:
    """Return the alert of the minutes without data before the minute at `start`, which ends it."""
    alert = silence(rule, last, start)
    return [] if alert is None else [replace(alert, updated=start, resolved_at=start + MINUTE)]


def _next(rule: Rule, at: Progress, minute: Minute) -> Progress:
    value = minute.value if minute.interactions >= rule.min_interactions else None
    if at.open is None:
        if value is None or value <= rule.threshold:
            return Progress(last=minute.start)
        return _opened(rule, at, minute.start, value)
    if value is None:  # no evidence
        return replace(at, last=minute.start)
    peak = max(at.peak, value)
    clear = value < rule.clear_below or value == 0  # nothing lies below a threshold of 0
    cleared = at.cleared + 1 if clear else 0
    return Progress(
        last=minute.start, peak=peak, cleared=cleared, open=_told(rule, at.open, minute.start, peak, cleared)
    )


def _opened(rule: Rule, at: Progress, start: int, value: float) -> Progress:
    """Return what a minute above leads to while no alert is open: a longer row, or an alert."""
    in_a_row = at.above > 0 and at.last == start - MINUTE
    since, peak = (at.since, max(at.peak, value)) if in_a_row else (start, value)
    above = at.above + 1 if in_a_row else 1
    if above < rule.for_:
        return Progress(last=start, above=above, since=since, peak=peak)
    alert = Alert(rule.metric, since, _severity(rule, peak), peak, start)
    return Progress(last=start, peak=peak, open=alert)


def _told(rule: Rule, alert: Alert, start: int, peak: float, cleared: int) -> Alert:
    """Return the alert after a minute, the same one if nothing has to be told."""
    severity = _severity(rule, peak)
    resolved_at = start + MINUTE if cleared >= rule.clear_for else None
    due = rule.repeat_every is not None and start - alert.updated >= rule.repeat_every * MINUTE
    if severity == alert.severity and resolved_at is None and not due:
        return alert
    return replace(alert, severity=severity, value=peak, updated=start, resolved_at=resolved_at)


def _severity(rule: Rule, value: float) -> str:
    return CRITICAL if value > rule.critical_at else WARNING
