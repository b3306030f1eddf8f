"""What a person sees: a table that moves on a terminal, a line now and then elsewhere."""

from datetime import UTC, datetime
from heapq import nlargest
from operator import attrgetter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.records import CampaignHour
from streams.demo.board import Board

HEADER_LINES = 8  # of the screen that are not rows
HOURS = 3  # share the screen, so that one sees hours end


def screen(board: Board, height: int) -> RenderableType:
    """Draw the newest hours, each with its busiest campaigns, as many as fit into `height` lines."""
    table = Table("hour (UTC)", "campaign", box=None, header_style="bold", expand=False)
    for title in ("count", "handle p50", "p90", "p95", "wait p50", "p90", "p95"):
        table.add_column(title, justify="right")
    table.add_column("")
    for hour in sorted({row.hour_start for row in board.rows.values()}, reverse=True)[:HOURS]:
        rows = [row for row in board.rows.values() if row.hour_start == hour]
        for row in nlargest(max((height - HEADER_LINES) // HOURS, 1), rows, key=attrgetter("count")):
            table.add_row(*_cells(row), style="dim" if row.final else "")
    return Group(Text(line(board)), Text(_dead_letters(board)), Text(), table)


def line(board: Board) -> str:
    """Return the state in one line."""
    lag = " ".join(f"{stage} {records}" for stage, records in board.lag.items())
    return (
        f"sent {board.sent:,} ({board.sent_per_second:,.0f}/s)  counted {board.counted:,}"
        f" ({board.counted_per_second:,.0f}/s)  windows {len(board.rows):,}  lag: {lag or '-'}"
        f"  dead letters {board.dead_letters.total():,}"
    )


def _dead_letters(board: Board) -> str:
    reasons = ", ".join(f"{reason} {number}" for reason, number in board.dead_letters.most_common())
    return f"dead letters: {reasons or 'none'}"


def _cells(row: CampaignHour) -> list[str | Text]:
    hour = datetime.fromtimestamp(row.hour_start / 1000, UTC).strftime("%a %H:%M")
    figures = (row.handle.p50, row.handle.p90, row.handle.p95, row.wait.p50, row.wait.p90, row.wait.p95)
    campaign = Text(row.campaign_id.replace("\n", "\\n"), overflow="ellipsis", no_wrap=True)
    return [
        hour,
        campaign,
        f"{row.count:,}",
        *(f"{figure:.1f}" for figure in figures),
        "final" if row.final else "open",
    ]
