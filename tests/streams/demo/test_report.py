import pytest

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from schemas.records import RoutingResult
from streams.demo.board import Board
from streams.demo.judges.actions import ActionVerdict
from streams.demo.judges.dashboards import DashboardVerdict
from streams.demo.judges.guests import GuestVerdict
from streams.demo.judges.hours import Verdict
from streams.demo.judges.minutes import MinuteVerdict
from streams.demo.report import Verdicts, findings, report

GOOD = GuestVerdict(unaccounted=0, overtaken=0, repeats=0, mismatches=())
KEPT = DashboardVerdict({"applied": 4}, 5, 6, 7, ())
MINUTES = MinuteVerdict(4, 1, ())
ACTIONS = ActionVerdict(3, ())


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
    made.minutes.ledger = {"events_sent": 5, "events_malformed": {}, "malformed_redelivered": 0}
    for number in range(dead):
        headers = {DEAD_STAGE: b"normalise", DEAD_SOURCE: b"raw:0:%d" % number, DEAD_REASON: b"duration"}
        made.dead_letter(headers)
    return made


def test_has_exactly_the_promised_keys() -> None:
    seen = board(dead=3)
    seen.guests.said, seen.guests.waiting = {"inbound": 9}, 1
    for fate, number in ((seen.guests.admitted, 6), (seen.guests.throttled, 3)):
        for position in range(number):
            fate.add({SOURCE_POSITION: b"0:%d" % position, EVENT_ID: b"e-%d" % position})
    for position in range(4):
        result = RoutingResult(f"e-{position}", "c", None, "q", "r", 1, 0, 0, 0.1, within_target=position > 0)
        seen.guests.result({SOURCE_POSITION: b"0:%d" % position, EVENT_ID: b"e-%d" % position}, result)
    seen.actions.called(
        [{"status": 200, "seconds": 0.0042, "again": True}, {"status": 400, "seconds": 1, "again": False}]
    )
    seen.actions.measured(["cxone_kafka_transaction_commits_total 2.0"])
    seen.dead_letter({DEAD_STAGE: b"routing", DEAD_SOURCE: b"admitted:0:5", DEAD_REASON: b"given up"})

    assert report(Verdicts(Verdict(7, 100, ()), GuestVerdict(1, 2, 3, ("a", "b")), MINUTES, KEPT, ACTIONS), seen) == {
        "windows_checked": 7,
        "mismatches": 2,
        "events_sent": 100,
        "events_redelivered": 10,
        "events_malformed": 3,
        "events_counted": 100,
        "dead_letters": {"duration": 3},
        "guests": {
            "sent": 9,
            "admitted": 6,
            "throttled": 3,
            "routed": 4,
            "waiting": 1,
            "dead_letters": {"given up": 1},
            "repeats": 3,
            "overtaken": 2,
            "unaccounted": 1,
            "within_target": 0.75,
        },
        "minutes": {"events_sent": 5, "rows": 4, "final": 0, "alerts": 1, "open": 0, "dead_letters": {}},
        "dashboards": {
            "turns": {"applied": 4},
            "writes": 5,
            "others_edits": 6,
            "audit_records": 7,
            "audit_holds": True,
        },
        "actions": {
            "called": 2,
            "accepted": 1,
            "again": 1,
            "transactions": 2,
            "typed": 0,
            "changes": 0,
            "scored": 0,
            "dead_letters": {},
            "p50_ms": 4.2,
            "p99_ms": 4.2,
        },
    }


@pytest.mark.parametrize(
    ("verdict", "guests", "seen"),
    [
        (Verdict(7, 99, ()), GOOD, board(dead=3)),  # one lost
        (Verdict(7, 101, ()), GOOD, board(dead=3)),  # one counted twice
        (Verdict(7, 100, ("wrong",)), GOOD, board(dead=3)),
        (Verdict(7, 100, ()), GOOD, board(dead=2)),  # dropped in silence
        (Verdict(7, 100, ()), GOOD, board(dead=4)),  # a good one refused
        (Verdict(7, 100, ()), GuestVerdict(1, 0, 0, ("a message without a fate",)), board(dead=3)),
    ],
)
def test_any_mistake_is_found(verdict: Verdict, guests: GuestVerdict, seen: Board) -> None:
    verdicts = Verdicts(verdict, guests, MINUTES, KEPT, ACTIONS)

    assert len(findings(verdicts, seen)) == report(verdicts, seen)["mismatches"] == 1


def test_a_mistake_of_dashboards_is_found() -> None:
    kept = DashboardVerdict({}, 0, 0, 0, ("audit trail: altered",))
    verdicts = Verdicts(Verdict(7, 100, ()), GOOD, MINUTES, kept, ACTIONS)

    assert findings(verdicts, board(dead=3)) == ["audit trail: altered"]
    assert report(verdicts, board(dead=3))["dashboards"]["audit_holds"] is False


def test_a_mistake_of_webhooks_is_found() -> None:
    wrong = ActionVerdict(3, ("i-1: typed 2 times",))
    verdicts = Verdicts(Verdict(7, 100, ()), GOOD, MINUTES, KEPT, wrong)

    assert findings(verdicts, board(dead=3)) == ["i-1: typed 2 times"]


def test_a_malformed_frame_sent_again_may_be_two_dead_letters() -> None:
    assert (
        findings(Verdicts(Verdict(7, 100, ()), GOOD, MINUTES, KEPT, ACTIONS), board(dead=4, malformed_redelivered=1))
        == []
    )
