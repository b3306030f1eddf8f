from collections import Counter, defaultdict

import orjson
import pytest

from connectors.simulator.messaging.crowd import Plan, messages
from connectors.simulator.messaging.frames import Said

PLAN = Plan(count=200, rate=40, bots=5, seconds=60)


def everything(plan: Plan) -> dict[int, list[tuple[float, Said]]]:
    return {
        number: [(due, Said.model_validate_json(body)) for due, body in messages(plan, number)]
        for number in range(plan.count)
    }


def test_the_same_seed_says_the_same() -> None:
    assert list(messages(PLAN, 7)) == list(messages(PLAN, 7))
    assert list(messages(PLAN, 7)) != list(messages(PLAN, 8))


def test_together_they_keep_the_rate() -> None:
    written = sum(len(each) for each in everything(PLAN).values())

    assert written == pytest.approx(40 * 60, rel=0.1)


def test_bots_flood_and_others_do_not() -> None:
    lengths = [len(each) for each in everything(PLAN).values()]

    assert min(lengths[:5]) >= 100
    assert sum(lengths[5:]) / 195 < 15


def test_guests_go_from_one_conversation_to_the_next() -> None:
    for each in everything(PLAN).values():
        assert [due for due, _ in each] == sorted(due for due, _ in each)
        assert len({orjson.dumps(said.fingerprint) for _, said in each}) <= 1
        lines: dict[str, list[str]] = defaultdict(list)
        for _, said in each:
            lines[said.conversation_id].append(said.text)
        assert all(len(texts) == len(set(texts)) <= 12 for texts in lines.values())


def test_some_guests_have_no_fingerprint_or_an_object_and_some_messages_no_queue() -> None:
    said = [said for each in everything(PLAN).values() for _, said in each]

    kinds = Counter(type(each.fingerprint).__name__ for each in said)
    assert kinds["str"] > kinds["dict"] > 0
    assert kinds["NoneType"] > 0
    assert {each.queue_id for each in said} == {"support", "billing", "sales", None}


@pytest.mark.parametrize(
    ("count", "rate", "bots", "words"),
    [(1, 10, 2, "more than 1 guests"), (9, 3, 2, "write 4 messages a second"), (9, 4, 2, "must be higher")],
)
def test_a_plan_that_cannot_be_kept_is_refused(count: int, rate: float, bots: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan(count=count, rate=rate, bots=bots)


def test_all_may_be_bots() -> None:
    plan = Plan(count=2, rate=4, bots=2, seconds=10)

    assert all(19 <= len(list(messages(plan, number))) <= 20 for number in range(2))
