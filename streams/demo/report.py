"""What a bounded demo reports: whether everything that was sent has been counted, once."""

from typing import Any, NamedTuple

from streams.demo.board import Board
from streams.demo.judges.actions import ActionVerdict
from streams.demo.judges.dashboards import DashboardVerdict
from streams.demo.judges.guests import GuestVerdict
from streams.demo.judges.hours import Verdict
from streams.demo.judges.minutes import MinuteVerdict


class Verdicts(NamedTuple):
    """What the judges say."""

    hours: Verdict
    guests: GuestVerdict
    minutes: MinuteVerdict
    dashboards: DashboardVerdict
    actions: ActionVerdict


def findings(verdicts: Verdicts, board: Board) -> list[str]:
    """Return a sentence for everything that isn't as it must be.

    Every event is counted once. Every malformed frame is a dead letter; a frame that was sent again over a new
    connection may be one more. What guests wrote is judged message by message.
    """
    verdict, guests, minutes, dashboards, actions = verdicts
    sent, malformed = board.ledger["events_sent"], sum(board.ledger["events_malformed"].values())
    dead = board.dead_letters.total()
    most_dead = malformed + board.ledger["malformed_redelivered"]
    found = list(verdict.mismatches)
    if verdict.events_counted != sent:
        found.append(f"{verdict.events_counted:,} events are counted, {sent:,} different ones were sent")
    if not malformed <= dead <= most_dead:
        found.append(
            f"{dead:,} records are dead letters, should be {malformed:,} to {most_dead:,}: {board.dead_letters}"
        )
    wrong, refused = sum(board.minutes.ledger["events_malformed"].values()), board.minutes.dead_letters.total()
    most = wrong + board.minutes.ledger["malformed_redelivered"]
    if not wrong <= refused <= most:
        reasons = board.minutes.dead_letters
        found.append(f"{refused:,} analytics frames are dead letters, should be {wrong:,} to {most:,}: {reasons}")
    return [*found, *guests.mismatches, *minutes.mismatches, *dashboards.mismatches, *actions.mismatches]


def report(verdicts: Verdicts, board: Board) -> dict[str, Any]:
    """Return the report; its keys are relied upon by programs."""
    verdict, guests, minutes, dashboards, _ = verdicts
    ledger, seen = board.ledger, board.guests
    return {
        "windows_checked": verdict.windows_checked,
        "mismatches": len(findings(verdicts, board)),
        "events_sent": ledger["events_sent"],
        "events_redelivered": ledger["events_redelivered"],
        "events_malformed": sum(ledger["events_malformed"].values()),
        "events_counted": verdict.events_counted,
        "dead_letters": dict(board.dead_letters),
        "guests": {
            "sent": seen.sent,
            "admitted": seen.admitted.count,
            "throttled": seen.throttled.count,
            "routed": seen.routed.count,
            "waiting": seen.waiting,
            "dead_letters": dict(seen.dead_letters),
            "repeats": guests.repeats,
            "overtaken": guests.overtaken,
            "unaccounted": guests.unaccounted,
            "within_target": seen.within_target,
        },
        "minutes": {
            "events_sent": board.minutes.ledger["events_sent"],
            "rows": minutes.rows_checked,
            "final": sum(row.final for row in board.minutes.rows.values()),
            "alerts": minutes.alerts_checked,
            "open": len(board.minutes.open),
            "dead_letters": dict(board.minutes.dead_letters),
        },
        "dashboards": dashboards.shown(),
        "actions": {
            **{name: board.actions.counts[name] for name in ("called", "accepted", "again")},
            "transactions": board.actions.transactions,
            **{name: board.actions.counts[name] for name in ("typed", "changes", "scored")},
            "dead_letters": dict(board.actions.dead_letters),
            "p50_ms": _milliseconds(board.actions.percentile(0.5)),
            "p99_ms": _milliseconds(board.actions.percentile(0.99)),
        },
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
