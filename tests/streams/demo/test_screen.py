from io import StringIO

from rich.console import Console

from schemas.records import DEAD_REASON, DEAD_SOURCE, CampaignHour, Summary
from streams.demo.board import Board
from streams.demo.screen import HEADER_LINES, line, screen

NINE = 1_772_442_000_000  # Monday 2026-03-02 09:00 UTC


def board(rows: int, hours: int = 1) -> Board:
    made = Board()
    summary = Summary(p50=120.5, p90=300, p95=400, min=1, max=900, mean=150)
    for hour in range(hours):
        for number in range(rows):
            campaign = f"[bold]two\nlines {number}"
            start, final = NINE + hour * 3_600_000, number == 0
            made.hour(CampaignHour(campaign, start, 1000 + number, summary, summary, 1, final=final, exact=True))
    made.dead_letter({DEAD_SOURCE: b"raw:0:1", DEAD_REASON: b"not JSON"})
    made.measure({"events_sent": 1234, "finished": False}, {"normalise": 7}, 0.0)
    return made


def drawn(made: Board, height: int) -> list[str]:
    console = Console(file=StringIO(), width=120, height=height)
    with console.capture() as capture:
        console.print(screen(made, height))
    return capture.get().splitlines()


def test_shows_campaigns_hours_and_figures() -> None:
    lines = drawn(board(2), 40)

    assert "sent 1,234" in lines[0]
    assert "normalise 7" in lines[0]
    assert lines[1].strip() == "dead letters: not JSON 1"
    assert "Mon 09:00" in lines[-2]
    assert all(text in lines[-2] for text in ("[bold]two\\nlines 1", "1,001", "120.5", "300.0", "400.0", "open"))
    assert "final" in lines[-1]


def test_the_newest_hours_share_the_terminal() -> None:
    lines = drawn(board(100, hours=5), 30)

    assert len(lines) <= 30 - HEADER_LINES + 4
    assert [lines[4][:10], lines[4 + 7][:10], lines[4 + 14][:10]] == [" Mon 13:00", " Mon 12:00", " Mon 11:00"]


def test_an_empty_board_has_a_line() -> None:
    assert line(Board()).startswith("sent 0 (0/s)  counted 0 (0/s)  windows 0  lag: -")
