"""What a person sees: a table that moves on a terminal, a line now and then elsewhere."""

from collections import Counter
from datetime import UTC, datetime
from heapq import nlargest
from operator import attrgetter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.redaction import escaped
from schemas.records import CampaignHour, MetricSnapshot
from streams.demo.board import Board
from streams.demo.guest_board import STAGES, Guests
from streams.demo.keeper import Kept
from streams.demo.minute_board import Minutes

HEADER_LINES = 26  # of the screen that are not rows
HOURS = 3  # share the screen, so that one sees hours end


def screen(board: Board, height: int) -> RenderableType:
    """Draw the guests, and the newest hours, each with its busiest campaigns, as many as fit into `height` lines."""
    table = Table("hour (UTC)", "campaign", box=None, header_style="bold", expand=False)
    for title in ("count", "handle p50", "p90", "p95", "wait p50", "p90", "p95"):
        table.add_column(title, justify="right")
    table.add_column("")
    for hour in sorted({row.hour_start for row in board.rows.values()}, reverse=True)[:HOURS]:
        rows = [row for row in board.rows.values() if row.hour_start == hour]
        for row in nlargest(max((height - HEADER_LINES) // HOURS, 1), rows, key=attrgetter("count")):
            table.add_row(*_cells(row), style="dim" if row.final else "")
    interactions = (_text(line(board)), _text(_reasons(board.dead_letters)))
    behind = _text(f"lag: {_lag(board, of_guests=True)}  {_reasons(board.guests.dead_letters)}")
    guests, minutes, dashboards = _guests(board.guests), _minute(board.minutes), _dashboards(board.dashboards)
    actions = _text(action_line(board))
    return Group(
        *interactions,
        *(Text(), guests, behind),
        *(Text(), minutes),
        *(Text(), dashboards),
        *(Text(), actions),
        *(Text(), table),
    )


def _dashboards(kept: Kept) -> Group:
    """Draw the last plan and the last conflict, and whether the chain holds."""
    style = "red" if kept.failures else ""
    return Group(*(_text(each, style=style, cut=True) for each in kept.lines()))


def line(board: Board) -> str:
    """Return the state of interactions in one line."""
    lag = _lag(board, of_guests=False)
    return (
        f"sent {board.sent:,} ({board.sent_per_second:,.0f}/s)  counted {board.counted:,}"
        f" ({board.counted_per_second:,.0f}/s)  windows {len(board.rows):,}  lag: {lag}"
        f"  dead letters {board.dead_letters.total():,}"
    )


def guest_line(board: Board) -> str:
    """Return the state of guests in one line."""
    figures = "  ".join(f"{title} {figure}" for title, figure in _guest_figures(board.guests).items())
    return f"{figures}  lag: {_lag(board, of_guests=True)}"


def minute_line(board: Board) -> str:
    """Return the newest minute over all queues, and the open alerts, in one line."""
    minutes = board.minutes
    alerts = ", ".join(f"{each.rule} {each.severity} {each.value:.1f}" for each in minutes.open) or "none"
    texts = [_figures(row) for row in minutes.current() if not row.queue] or ["no minute yet"]
    return f"{texts[0]}  open alerts: {alerts}  dead letters {minutes.dead_letters.total():,}"


def action_line(board: Board) -> str:
    """Return the state of Data Actions in one line. What an answer took is seen by who calls."""
    actions = board.actions
    p50, p99 = (actions.percentile(share) for share in (0.5, 0.99))
    took = "-" if p50 is None or p99 is None else f"p50 {1000 * p50:,.0f} ms p99 {1000 * p99:,.0f} ms"
    figures = "  ".join(
        f"{name} {actions.counts[name]:,}" for name in ("accepted", "again", "typed", "changes", "scored")
    )
    return (
        f"webhooks: {figures}  dead letters {actions.dead_letters.total():,}  {took}"
        f"  {actions.grouped:,} requests in {actions.transactions:,} transactions (imitated here)"
    )


def _minute(minutes: Minutes) -> Group:
    """Draw the newest minute, over all queues and for each, and the open alerts."""
    queues = [_text(_figures(row), cut=True) for row in minutes.current()[:4]]
    alerts = [f"{_clock(each.opened_at)} {each.rule} {each.severity} {each.value:.1f}" for each in minutes.open[:3]]
    return Group(
        *(queues or [Text("no minute yet")]),
        _text(f"open alerts: {', '.join(alerts) or 'none'}", style="red" if alerts else ""),
    )


def _figures(row: MetricSnapshot) -> str:
    return (
        f"{_clock(row.window)} {row.queue or 'all queues'}: {row.events:,} events, {row.interactions:,} interactions,"
        f" handle {row.avg_handle_time:.1f} s, wait {row.avg_wait_time:.1f} s, {row.active_agents} agents"
        f"{' (final)' if row.final else ''}"
    )


def _clock(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%H:%M")


def _guests(guests: Guests) -> Table:
    table = Table(box=None, header_style="bold", expand=False)
    figures = _guest_figures(guests)
    for title in figures:
        table.add_column(title, justify="right")
    table.add_row(*figures.values())
    return table


def _guest_figures(guests: Guests) -> dict[str, str]:
    """Return what a person sees of guests; what took so long is from a message's frame to the answer of routing."""
    p50, p95 = (guests.percentile(share) for share in (0.5, 0.95))
    return {
        "guests wrote": f"{guests.sent:,}",
        "admitted": f"{guests.admitted.count:,}",
        "throttled": f"{guests.throttled.count:,}",
        "routed": f"{guests.routed.count:,}",
        "to retry": f"{guests.waiting:,}",
        "dead": f"{guests.dead_letters.total():,}",
        "in time": "-" if guests.within_target is None else f"{guests.within_target:.1%}",
        "took p50": "-" if p50 is None else f"{p50 * 1000:,.0f} ms",
        "took p95": "-" if p95 is None else f"{p95 * 1000:,.0f} ms",
        "in CRM": f"{guests.contacts.get('records', 0):,}",
    }


def _lag(board: Board, *, of_guests: bool) -> str:
    lag = (f"{stage} {records}" for stage, records in board.lag.items() if (stage in STAGES) is of_guests)
    return " ".join(lag) or "-"


def _reasons(dead_letters: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {number}" for reason, number in dead_letters.most_common())
    return f"dead letters: {reasons or 'none'}"


def _cells(row: CampaignHour) -> list[str | Text]:
    hour = datetime.fromtimestamp(row.hour_start / 1000, UTC).strftime("%a %H:%M")
    figures = (row.handle.p50, row.handle.p90, row.handle.p95, row.wait.p50, row.wait.p90, row.wait.p95)
    campaign = _text(row.campaign_id, cut=True)
    return [
        hour,
        campaign,
        f"{row.count:,}",
        *(f"{figure:.1f}" for figure in figures),
        "final" if row.final else "open",
    ]


def _text(words: str, *, style: str = "", cut: bool = False) -> Text:
    """Return words of whoever may write to a topic: no markup of rich's, and nothing that could rewrite a terminal."""
    return Text(escaped(words), style, overflow="ellipsis" if cut else None, no_wrap=cut or None)
