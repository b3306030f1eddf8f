import pytest

from schemas.records import DEAD_REASON, DEAD_SOURCE
from streams.demo.board import Board
from streams.demo.judge import Verdict
from streams.demo.report import findings, report


def board(*, dead: int, malformed_redelivered: int = 0) -> Board:
    made = Board()
    ledger = {
        "events_sent": 100,
        "events_redelivered": 10,
        "events_malformed": {"not json": 2, "no time": 1},
        "malformed_redelivered": malformed_redelivered,
        "finished": True,
    }
    made.measure(ledger, {}, 0.0)
    for number in range(dead):
        made.dead_letter({DEAD_SOURCE: b"raw:0:%d" % number, DEAD_REASON: b"duration"})
    return made


def test_has_exactly_the_promised_keys() -> None:
    assert report(Verdict(7, 100, ()), board(dead=3)) == {
        "windows_checked": 7,
        "mismatches": 0,
        "events_sent": 100,
        "events_redelivered": 10,
        "events_malformed": 3,
        "events_counted": 100,
        "dead_letters": {"duration": 3},
    }


@pytest.mark.parametrize(
    ("verdict", "seen"),
    [
        (Verdict(7, 99, ()), board(dead=3)),  # one lost
        (Verdict(7, 101, ()), board(dead=3)),  # one counted twice
        (Verdict(7, 100, ("wrong",)), board(dead=3)),
        (Verdict(7, 100, ()), board(dead=2)),  # dropped in silence
        (Verdict(7, 100, ()), board(dead=4)),  # a good one refused
    ],
)
def test_any_mistake_is_found(verdict: Verdict, seen: Board) -> None:
    assert len(findings(verdict, seen)) == report(verdict, seen)["mismatches"] == 1


def test_a_malformed_frame_sent_again_may_be_two_dead_letters() -> None:
    assert findings(Verdict(7, 100, ()), board(dead=4, malformed_redelivered=1)) == []
