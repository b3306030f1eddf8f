from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from math import ceil

import orjson
import pytest

from connectors.simulator.clock import HOUR
from connectors.simulator.interactions.frames import MALFORMED, Event
from connectors.simulator.interactions.traffic import (
    LATEST_REDELIVERY_SECONDS,
    OUT_OF_ORDER_SECONDS,
    Delivery,
    Plan,
    deliveries,
)

STARTED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC).timestamp()
PLAN = Plan(rate=500, number=20_000)


@pytest.fixture(name="sent", scope="module")
def _sent() -> list[Delivery]:
    return list(deliveries(PLAN, STARTED_AT))


def new(sent: list[Delivery]) -> list[Delivery]:
    return [delivery for delivery in sent if not delivery.again]


def events(sent: list[Delivery]) -> list[Event]:
    return [delivery.event for delivery in new(sent) if delivery.event is not None]


def test_the_same_seed_gives_the_same_bytes(sent: list[Delivery]) -> None:
    assert list(deliveries(PLAN, STARTED_AT)) == sent


def test_another_seed_gives_other_traffic(sent: list[Delivery]) -> None:
    other = deliveries(Plan(seed=2, rate=500, number=20_000), STARTED_AT)

    assert {delivery.body for delivery in islice(other, 100)}.isdisjoint(delivery.body for delivery in sent)


def test_new_frames_come_at_the_rate_and_in_order_of_due(sent: list[Delivery]) -> None:
    assert len(new(sent)) == 20_000
    assert new(sent)[-1].due == pytest.approx(19_999 / 500)
    assert [delivery.due for delivery in sent] == sorted(delivery.due for delivery in sent)


def test_a_tenth_is_redelivered_with_the_same_bytes(sent: list[Delivery]) -> None:
    first = {delivery.event: delivery for delivery in new(sent) if delivery.event is not None}
    again = [delivery for delivery in sent if delivery.again]

    assert len(again) / 20_000 == pytest.approx(0.10, abs=0.01)
    assert all(delivery.body == first[delivery.event].body for delivery in again if delivery.event)
    assert all(delivery.event for delivery in again)


def test_redeliveries_come_soon_or_within_the_horizon() -> None:
    sent = list(islice(deliveries(Plan(rate=20, campaigns=5), STARTED_AT), 30_000))  # 1,350 s

    due = {delivery.event: delivery.due for delivery in reversed(sent)}
    delays = [delivery.due - due[delivery.event] for delivery in sent if delivery.again and delivery.event]
    assert max(delays) <= LATEST_REDELIVERY_SECONDS
    assert sum(delay > 60 for delay in delays) / len(delays) == pytest.approx(0.09, abs=0.03)
    assert sum(delay < 10 for delay in delays) / len(delays) > 0.8


def test_one_in_a_hundred_is_malformed_in_every_way_there_is(sent: list[Delivery]) -> None:
    kinds = Counter(delivery.malformed for delivery in sent if delivery.malformed)

    assert kinds.total() / 20_000 == pytest.approx(0.01, abs=0.003)
    assert set(kinds) == set(MALFORMED)


def test_no_event_is_ahead_of_real_time() -> None:
    plan = Plan(rate=50, speedup=3600, history=HOUR, number=10_000)  # catches up after a second, runs for 200

    ahead = [
        delivery.event.completed_at / 1000 - (STARTED_AT + delivery.due)
        for delivery in deliveries(plan, STARTED_AT)
        if delivery.event
    ]

    assert -OUT_OF_ORDER_SECONDS * 1.1 < ahead[-1] <= max(ahead) <= 0


def test_events_are_out_of_order_by_five_minutes_at_most(sent: list[Delivery]) -> None:
    newest, lateness = 0, []
    for event in events(sent):
        newest = max(newest, event.completed_at)
        lateness.append((newest - event.completed_at) / 1000)

    assert 60 < max(lateness) <= OUT_OF_ORDER_SECONDS
    assert sum(late > 0 for late in lateness) / len(lateness) > 0.25


def test_hours_pass_in_seconds(sent: list[Delivery]) -> None:
    hours = {event.completed_at // 3_600_000 for event in events(sent)}

    assert len(hours) >= ceil(40 * 360 / 3600 / 2)  # noon is slow: the day's shape is in time


def test_events_are_different_and_the_frame_says_what_the_truth_says(sent: list[Delivery]) -> None:
    assert len({event.event_id for event in events(sent)}) == len(events(sent))
    for delivery in sent:
        if delivery.event is None:
            continue
        frame = orjson.loads(delivery.body)
        payload = frame["payload"]
        completed = datetime.fromisoformat(frame.get("timestamp", payload["completionTime"]))
        assert delivery.event == Event(
            event_id=frame["eventId"],
            campaign_id=payload["campaignId"],
            completed_at=round(completed.timestamp() * 1000),
            handle_time=payload["handleTime"],
            wait_time=payload["waitTime"],
        )


def test_frames_have_a_realistic_size(sent: list[Delivery]) -> None:
    sizes = [len(delivery.body) for delivery in new(sent)]

    assert 600 < sum(sizes) / len(sizes) < 800


def test_durations_are_log_normal_about_the_campaign_s_median(sent: list[Delivery]) -> None:
    handles = sorted(event.handle_time for event in events(sent) if event.campaign_id == "campaign-001")

    median, p84 = handles[len(handles) // 2], handles[len(handles) * 84 // 100]
    assert 90 < median < 480
    assert p84 / median == pytest.approx(2.718281828**0.6, rel=0.1)


def test_without_redeliveries_and_malformed_there_are_none() -> None:
    sent = list(deliveries(Plan(redelivered=0, malformed=0, number=1000), STARTED_AT))

    assert len(events(sent)) == len(sent) == 1000
