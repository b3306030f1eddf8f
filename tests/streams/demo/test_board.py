import pytest

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.records import CampaignHour, Summary
from streams.demo.board import Board

LEDGER = {
    "events_sent": 100,
    "events_redelivered": 10,
    "events_malformed": {"not json": 2, "no time": 1},
    "malformed_redelivered": 1,
    "finished": False,
}
SUMMARY = Summary(p50=1, p90=2, p95=3, min=0, max=9, mean=2)


def row(campaign: str = "a", *, hour: int = 0, count: int = 5, revision: int = 1, final: bool = False) -> CampaignHour:
    return CampaignHour(campaign, hour, count, SUMMARY, SUMMARY, revision, final=final, exact=True)


def test_the_highest_revision_counts() -> None:
    board = Board()
    for revision, count in ((1, 5), (3, 9), (2, 7)):
        board.hour(row(count=count, revision=revision))
    board.hour(row("b", count=1))

    assert board.counted == 10


def test_a_dead_letter_counts_once_per_source_position() -> None:
    board = Board()
    for source in (b"raw:0:1", b"raw:0:2", b"raw:0:1"):
        board.dead_letter({DEAD_STAGE: b"normalise", DEAD_SOURCE: source, DEAD_REASON: b"duration"})
    board.dead_letter({DEAD_STAGE: b"connect interactions", DEAD_SOURCE: b"raw:1:1", DEAD_REASON: b"not JSON"})

    assert board.dead_letters == {"duration": 2, "not JSON": 1}


@pytest.mark.parametrize("stage", [b"connect messaging", b"messages", b"rate-limit", b"routing", b"crm"])
def test_dead_letters_of_guests_are_apart(stage: bytes) -> None:
    board = Board()
    board.dead_letter({DEAD_STAGE: stage, DEAD_SOURCE: b"raw:0:1", DEAD_REASON: b"given up"})

    assert (board.dead_letters, board.guests.dead_letters) == ({}, {"given up": 1})


def test_frames_sent_are_all_that_were_written() -> None:
    board = Board()
    board.measure(LEDGER, {}, 0.0)

    assert board.sent == 114


def test_rates_are_taken_over_the_last_seconds() -> None:
    board = Board()
    for second in range(20):
        board.hour(row(count=50 * second, revision=second))
        board.measure(LEDGER | {"events_sent": 100 * second if second > 10 else 0}, {}, float(second))

    assert board.sent_per_second == pytest.approx(100)
    assert board.counted_per_second == pytest.approx(50)


@pytest.mark.parametrize(
    ("finished", "lag", "drained"),
    [(True, {"normalise": 0, "influx": 0}, True), (False, {"normalise": 0}, False), (True, {"normalise": 1}, False)],
)
def test_drained_is_sent_and_worked_off(*, finished: bool, lag: dict[str, int], drained: bool) -> None:
    board = Board()
    board.minutes.ledger = {"finished": True}
    board.measure(LEDGER | {"finished": finished}, lag, 0.0)

    assert board.drained() is drained


@pytest.mark.parametrize("waiting", [0, 1])
def test_drained_is_not_before_every_message_is_received(waiting: int) -> None:
    board = Board()
    board.minutes.ledger = {"finished": True}
    board.measure(LEDGER | {"finished": True}, {}, 0.0)
    board.guests.said = {"inbound": 5, "waiting": waiting}

    assert board.drained() is (waiting == 0)
