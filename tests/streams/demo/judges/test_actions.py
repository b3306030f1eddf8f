import orjson
import pytest

from schemas.dead_letters import DEAD_REASON, DEAD_STAGE
from schemas.records import CXoneInteraction, DashboardChange, InteractionScore
from streams.demo.action_board import Actions
from streams.demo.judges.actions import judge

ACTION, DASHBOARD = "/webhook/cxone-data-action", "/webhook/cxone-dashboard"


def row(path: str, body: object, status: int = 200) -> dict[str, object]:
    text = body if isinstance(body, str) else orjson.dumps(body).decode()
    return {
        "path": path,
        "body": text,
        "usable": status == 200,
        "again": False,
        "status": status,
        "seconds": 0.1,
    }


def seen() -> Actions:
    """Two accepted calls, one of them about an interaction that is scored, and one that was refused."""
    actions = Actions()
    change = {"dashboardId": "d", "eventType": "dashboard.updated", "actor": {"id": "u"}, "etag": "1"}
    actions.called([row(ACTION, {"id": "i-1", "channel": "voice"}), row(DASHBOARD, change), row(ACTION, "{", 400)])
    actions.interaction(CXoneInteraction("i-1", "voice", 5, None, None))
    actions.change(DashboardChange("d", "dashboard.updated", "u", "1", 5))
    actions.score(InteractionScore("i-1", 0.25, None, 1, 6))
    actions.dead_letter({DEAD_STAGE: b"connect webhooks", DEAD_REASON: b"not JSON"})
    return actions


def score(_name: str) -> float:
    return 0.25


def test_what_agrees_has_no_mismatches() -> None:
    assert judge(seen(), score).mismatches == ()
    assert judge(seen(), score).checked == 2


def test_typed_twice_scored_twice_and_another_score_are_mismatches() -> None:
    twice = seen()
    twice.interaction(twice.typed[0])
    twice.change(twice.changes[0])
    twice.score(twice.scores[0])

    assert sorted(judge(twice, score).mismatches) == [
        "d: typed 2 times as ('dashboard.updated', 'u', '1'), should be 1",
        "i-1: scored 2 times as (0.25,), should be 1",
        "i-1: typed 2 times as ('voice', None, None), should be 1",
    ]
    assert len(judge(seen(), lambda _name: 0.5).mismatches) == 2  # the wrong one, and none of the right one


@pytest.mark.parametrize("lost", ["typed", "changes", "scores", "dead"])
def test_whatever_is_lost_is_a_mismatch(lost: str) -> None:
    actions = seen()
    getattr(actions, lost).clear()

    assert len(judge(actions, score).mismatches) == 1


def test_an_answer_that_does_not_fit_its_call_is_a_mismatch() -> None:
    actions = seen()
    actions.called([row(ACTION, {"id": "i-2", "channel": "chat"}) | {"status": 503}])

    assert judge(actions, score).mismatches == ('a call was answered 503: {"id":"i-2","channel":"chat"}',)
