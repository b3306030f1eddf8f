"""Alerts on the contact centre's minutes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert of one rule on one queue ('' over all queues). Times in milliseconds since the epoch, UTC.

    `state` is open, resolved or retracted: late events have shown that it never was. `severity` is warning or critical,
    the highest reached while open, and `value` the highest value; both as of the minute `updated`, which opened the
    alert, made it critical, told it again or resolved it. `opened_at` is the start of the first minute above,
    `resolved_at` the end of the last one that was needed to clear it. `metric` is the snapshot's, or no_data: then
    `value` and `threshold` are how many minutes had no event when it opened.

    A higher `revision` replaces every earlier record of the same `alert_id`, which follows from rule, metric, queue and
    `opened_at`.
    """

    alert_id: str
    rule: str
    metric: str
    queue: str
    state: str
    severity: str
    value: float
    threshold: float
    opened_at: int
    resolved_at: int | None
    updated: int
    revision: int
