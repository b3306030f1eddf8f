from io import StringIO

import pytest
from rich.console import Console

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from schemas.records import CampaignHour, RoutingResult, Summary
from streams.demo.board import Board
from streams.demo.screen import HEADER_LINES, action_line, guest_line, line, screen

NINE = 1_772_442_000_000  # Monday 2026-03-02 09:00 UTC


def board(rows: int, hours: int = 1) -> Board:
    made = Board()
    summary = Summary(p50=120.5, p90=300, p95=400, min=1, max=900, mean=150)
    for hour in range(hours):
        for number in range(rows):
            campaign = f"[bold]two\nlines {number}"
            start, final = NINE + hour * 3_600_000, number == 0
            made.hour(CampaignHour(campaign, start, 1000 + number, summary, summary, 1, final=final, exact=True))
    made.dead_letter({DEAD_STAGE: b"normalise", DEAD_SOURCE: b"raw:0:1", DEAD_REASON: b"not JSON"})
    made.dead_letter({DEAD_STAGE: b"routing", DEAD_SOURCE: b"raw:0:1", DEAD_REASON: b"given up"})
    made.measure({"events_sent": 1234, "finished": False}, {"normalise": 7, "routing": 3}, 0.0)
    return made


def result(*, seconds: float, within_target: bool) -> RoutingResult:
    return RoutingResult("e", "c", "f", "q", "r", 1, 0, 0, seconds, within_target)


def drawn(made: Board, height: int, width: int = 120) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(screen(made, height))
    return capture.get().splitlines()


def test_shows_campaigns_hours_and_figures() -> None:
    lines = drawn(board(2), 40)

    assert "sent 1,234" in lines[0]
    assert "lag: normalise 7  dead" in lines[0]
    assert lines[1].strip() == "dead letters: not JSON 1"
    assert "Mon 09:00" in lines[-2]
    assert all(text in lines[-2] for text in ("[bold]two\\nlines 1", "1,001", "120.5", "300.0", "400.0", "open"))
    assert "final" in lines[-1]


def test_nothing_that_was_written_to_a_topic_can_rewrite_the_terminal() -> None:
    made = board(2)
    summary = Summary(p50=1, p90=1, p95=1, min=1, max=1, mean=1)
    for hostile in ("\x1b]0;title\x07", "\x1b[2J", "[red]x[/red]", "a\u202eb", "\r\n", "\x9b31m"):
        made.hour(CampaignHour(hostile, NINE, 9_999_999, summary, summary, 1, final=True, exact=True))
        made.dead_letter({DEAD_STAGE: b"normalise", DEAD_SOURCE: hostile.encode(), DEAD_REASON: hostile.encode()})
        made.dead_letter({DEAD_STAGE: b"routing", DEAD_SOURCE: hostile.encode(), DEAD_REASON: hostile.encode()})
        made.dashboards.plan.append(hostile)

    text = "\n".join(drawn(made, 80, width=400))

    assert all(char == "\n" or char.isprintable() for char in text)
    assert "[red]x[/red]" in text
    assert "\\x1b[2J" in text


def test_the_newest_hours_share_the_terminal() -> None:
    lines = drawn(board(100, hours=5), 30)

    assert len(lines) <= 30
    rows = lines.index(next(text for text in lines if "campaign" in text)) + 1
    each = (30 - HEADER_LINES) // 3
    assert [lines[rows + hour * each][:10] for hour in range(3)] == [" Mon 13:00", " Mon 12:00", " Mon 11:00"]


def test_an_empty_board_has_a_line() -> None:
    assert line(Board()).startswith("sent 0 (0/s)  counted 0 (0/s)  windows 0  lag: -")
    assert guest_line(Board()).endswith("in time -  took p50 -  took p95 -  in CRM 0  lag: -")


def test_webhooks_have_a_line() -> None:
    made = board(1)
    made.actions.called(
        [{"status": 200, "seconds": 0.004, "again": True}, {"status": 400, "seconds": 1, "again": False}]
    )
    made.actions.measured(
        [
            "cxone_kafka_transaction_commits_total 1.0",
            "cxone_kafka_transaction_group_sum 2.0",
            "cxone_kafka_transaction_group_count 1.0",
        ]
    )
    made.dead_letter({DEAD_STAGE: b"connect webhooks", DEAD_SOURCE: b"webhook:x:/", DEAD_REASON: b"id"})

    assert action_line(made) == (
        "webhooks: accepted 1  again 1  typed 0  changes 0  scored 0  dead letters 1  p50 4 ms p99 4 ms"
        "  2 requests in 1 transactions (imitated here)"
    )
    assert action_line(made) in " ".join(map(str.strip, drawn(made, 40)))
    assert "  -  0 requests" in action_line(Board())


def talkative() -> Board:
    made = board(2)
    guests = made.guests
    guests.said, guests.contacts, guests.waiting = {"inbound": 12_345}, {"records": 10_900}, 17
    for count, fate in ((11_000, guests.admitted), (1_300, guests.throttled), (999, guests.routed)):
        fate.count = count
    for second in (0.012, 1.5, 2.5):
        headers = {SOURCE_POSITION: b"0:%f" % second, EVENT_ID: b"e"}
        guests.result(headers, result(seconds=second, within_target=second <= 2))
    return made


@pytest.mark.parametrize("width", [100, 140])
def test_shows_guests_on_any_usual_width(width: int) -> None:
    lines = drawn(talkative(), 40, width)

    titles = next(number for number, text in enumerate(lines) if "throttled" in text)
    figures = ["12,345", "11,000", "1,300", "1,002", "17", "1", "0.2%", "1,500", "ms", "1,500", "ms", "10,900"]
    assert lines[titles + 1].split() == figures
    assert lines[titles + 2].strip() == "lag: routing 3  dead letters: given up 1"


def test_guests_have_a_line() -> None:
    assert guest_line(talkative()) == (
        "guests wrote 12,345  admitted 11,000  throttled 1,300  routed 1,002  to retry 17  dead 1"
        "  in time 0.2%  took p50 1,500 ms  took p95 1,500 ms  in CRM 10,900  lag: routing 3"
    )
