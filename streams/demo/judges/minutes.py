"""Judges minutes against a batch computation over what was sent, and alerts against one over the final minutes.

Shares no code with the stages: sums over lists, and the rules of the source document in other words.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

from schemas.records import AlertRecord, MetricSnapshot

MINUTE = 60_000  # ms
# rule, metric, of how many events, threshold, critical above, clear below: those that are shipped, over all queues
RULES = (
    ("handle-time", "avg_handle_time", "handles", 240, 360, 216),
    ("wait-time", "avg_wait_time", "waits", 90, 135, 81),
)
CLEAR_FOR = 2

Key = tuple[int, str]  # start of the minute in ms, queue ('' over all)
Figures = tuple[int, int, float, float, int]  # events, interactions, handle time, wait time, agents


@dataclass(frozen=True, slots=True)
class MinuteVerdict:
    """`mismatches` has a sentence for every minute and alert that isn't as it should be."""

    rows_checked: int
    alerts_checked: int
    mismatches: tuple[str, ...]


def truth(events: Iterable[Mapping[str, Any]]) -> dict[Key, Figures]:
    """Compute the figures of every minute from different events, as in the simulator's ledger."""
    minutes: defaultdict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        if event["event_type"] == "interaction" and event["state"] != "idle":
            start = event["at"] - event["at"] % MINUTE
            for queue in {"", event["queue_id"]} - {None}:
                minutes[start, queue].append(event)
    return {key: _figures(of) for key, of in minutes.items()}


def _figures(events: Sequence[Mapping[str, Any]]) -> Figures:
    def mean(name: str) -> float:
        return float(sum(event[name] for event in events) / len(events))

    interactions, agents = ({event[name] for event in events} for name in ("interaction_id", "agent_id"))
    return len(events), len(interactions), mean("handle_time"), mean("wait_time"), len(agents)


def alerts(rows: Iterable[MetricSnapshot]) -> set[tuple[str, int, int | None, str]]:
    """Return (rule, opened at, resolved at, severity) of every alert that the final rows of all queues amount to."""
    final = sorted((row for row in rows if row.final and not row.queue and row.events), key=lambda row: row.window)
    found = set()
    for rule, metric, named, threshold, critical, clear in RULES:
        values = [(row.window, getattr(row, metric)) for row in final if getattr(row, named) != 0]
        at = 0
        while at < len(values):
            if values[at][1] <= threshold:
                at += 1
                continue
            begin, cleared = at, 0
            while at < len(values) and cleared < CLEAR_FOR:
                cleared = cleared + 1 if values[at][1] < clear else 0
                at += 1
            severity = "critical" if max(value for _, value in values[begin:at]) > critical else "warning"
            end = values[at - 1][0] + MINUTE if cleared == CLEAR_FOR else None
            found.add((rule, values[begin][0], end, severity))
    return found


def judge(
    expected: Mapping[Key, Figures],
    rows: Mapping[Key, MetricSnapshot],
    records: Iterable[AlertRecord],
    told: Iterable[Mapping[str, Any]] | None = None,
) -> MinuteVerdict:
    """Compare rows with what is expected, alerts with the final rows, and with them what a webhook was `told`.

    `told` is None where there is no webhook.
    """
    found = [f"minute {key}: {_difference(expected.get(key), rows.get(key))}" for key in sorted({*expected, *rows})]
    mismatches = [sentence for sentence in found if not sentence.endswith(": as it should be")]
    newest = list(records)
    seen = {
        (each.rule, each.opened_at, each.resolved_at, each.severity) for each in newest if each.state != "retracted"
    }
    should = alerts(rows.values())
    mismatches += [f"alert {alert} is missing" for alert in sorted(should - seen, key=str)]
    mismatches += [f"alert {alert} should not be" for alert in sorted(seen - should, key=str)]
    if told is not None:
        mismatches += _unheard(newest, told)
    return MinuteVerdict(len(found), len(should), tuple(mismatches))


def _unheard(published: Iterable[AlertRecord], told: Iterable[Mapping[str, Any]]) -> list[str]:
    in_order = sorted(told, key=lambda each: each["revision"])
    heard = {each["alert_id"]: (each["revision"], each["state"]) for each in in_order}
    raised = {each.alert_id: (each.revision, each.state) for each in published}
    if heard == raised:
        return []
    return [f"the webhook was told {len(heard)} alerts, {len(raised)} were raised, or other revisions"]


def _difference(expected: Figures | None, row: MetricSnapshot | None) -> str:
    if row is None:
        return "is missing"
    if expected is None:  # a minute that passed without any event has a row, too
        return "should not be" if row.events else "as it should be"
    figures = (row.events, row.interactions, row.avg_handle_time, row.avg_wait_time, row.active_agents)
    same = all(isclose(one, other, rel_tol=1e-9) for one, other in zip(expected, figures, strict=True))
    return "as it should be" if same else f"{figures}, should be {expected}"
