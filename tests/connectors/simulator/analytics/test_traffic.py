"""Analytics traffic: what it is made of, and that the same seed makes the same."""

from collections import Counter
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.analytics.frames import IDLE, INTERACTION, MALFORMED, Event, frame
from connectors.simulator.analytics.ledger import AnalyticsLedger
from connectors.simulator.analytics.traffic import LATE_SECONDS, Delivery, Plan, deliveries, level

START = 1_772_443_800.0
PLAN = Plan(number=4000, rate=20, history=3600, speedup=20, malformed=0.05)


def events(plan: Plan = PLAN) -> list[Event]:
    return [each.event for each in deliveries(plan, START) if each.event is not None and not each.again]


def test_the_same_plan_sends_the_same_bytes() -> None:
    assert list(deliveries(PLAN, START)) == list(deliveries(PLAN, START))
    assert list(deliveries(PLAN, START)) != list(deliveries(Plan(number=4000, seed=2), START))


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        Plan,
        seed=st.integers(0, 1000),
        rate=st.floats(0.5, 500),
        speedup=st.floats(1, 1000),
        history=st.floats(0, 100_000),
        agents=st.integers(5, 50),
        redelivered=st.floats(0, 0.9),
        malformed=st.floats(0, 0.9),
        late=st.floats(0, 1),
        number=st.integers(0, 300),
    )
)
def test_deliveries_come_in_order_and_never_from_the_future(plan: Plan) -> None:
    sent = list(deliveries(plan, START))
    new = [each for each in sent if not each.again]

    assert len(new) == plan.number
    assert all(one.due <= other.due for one, other in pairwise(sent))
    assert all(each.event is None or each.event.at <= (START + each.due) * 1000 for each in sent)
    assert all((each.event is None) != (each.malformed is None) for each in sent)
    assert len({each.body for each in new if each.event is not None}) == sum(each.event is not None for each in new)
    assert {each.body for each in sent if each.again} <= {each.body for each in new}


def test_interactions_have_several_events_of_one_agent() -> None:
    found = [event for event in events() if event.event_type == INTERACTION]
    numbers = Counter(event.interaction_id for event in found)

    assert set(numbers.values()) == {1, 2, 3, 4}
    assert len({(event.interaction_id, event.agent_id) for event in found}) == len(numbers)
    assert len({event.agent_id for event in found}) == 8
    assert {event.state for event in found} == {"active", "idle"}
    assert None in {event.queue_id for event in found}
    assert None in {event.event_id for event in found}


def test_durations_lie_where_the_source_document_puts_them_when_no_wave_comes() -> None:
    calm = [event for event in events(Plan(number=2000, wave=float("inf"), queues=("one",))) if event.handle_time]

    assert all(60 <= (event.handle_time or 0) <= 360 for event in calm)
    assert all(0 <= (event.wait_time or 0) <= 120 for event in calm)
    assert all((event.handle_time or 0) * 2 % 1 == 0 for event in calm)


def test_a_wave_crosses_what_alerts_watch_and_goes_again() -> None:
    plan = Plan(number=40_000, rate=20, wave=900, history=0, late=0)
    means: dict[int, list[float]] = {}
    for event in events(plan):
        if event.queue_id == "sales" and event.handle_time is not None and event.state != IDLE:
            means.setdefault(event.at // 60_000, []).append(event.handle_time)
    minutes = [sum(values) / len(values) for values in means.values() if len(values) > 20]

    assert max(minutes) > 360
    assert min(minutes) < 216
    assert level(plan, 225, 0) == pytest.approx(1)
    assert level(plan, 675, 0) == 0


def test_some_events_are_so_late_that_their_minute_is_final() -> None:
    behind = [(START + each.due) - each.event.at / 1000 for each in deliveries(Plan(number=3000), START) if each.event]

    assert sum(seconds >= LATE_SECONDS[0] for seconds in behind) > 5
    assert max(behind) <= LATE_SECONDS[1] + 1


def test_every_kind_of_bad_frame_is_another_than_the_good_one() -> None:
    good = frame(Event(0, "e", INTERACTION, 0, "i", "a", "q", 1.0, 2.0, "active"))

    written = {kind: spoil(good) for kind, spoil in MALFORMED.items()}

    assert len(set(written.values()) | {orjson.dumps(good)}) == len(MALFORMED) + 1


def test_the_ledger_counts_each_event_once() -> None:
    ledger = AnalyticsLedger(kept=2)
    event = Event(0, "e", INTERACTION, 0, "i", "a", "q", 1.0, 2.0, "active")
    sent = [
        Delivery(0, b"1", event, None),
        Delivery(0, b"2", None, "not json"),
        Delivery(0, b"1", event, None, again=True),
        Delivery(0, b"3", event, None),
        Delivery(0, b"4", event, None),
    ]

    for number, delivery in enumerate(sent):
        ledger.wrote(number, delivery)
    for number, delivery in enumerate(sent[:2]):
        ledger.wrote(number, delivery)

    assert ledger.counts() == {
        "events_sent": 3,
        "events_redelivered": 2,
        "events_malformed": {"not json": 1},
        "malformed_redelivered": 1,
    }
    assert list(ledger.events()) == [event, event]
