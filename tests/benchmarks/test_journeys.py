import pytest

from benchmarks.journeys import HOPS, Journey, Spread, hops, journeys, spread, total, warm
from benchmarks.results import WrongResults
from schemas.records import RoutingResult


def result(event_id: str, received_at: int, routed_at: int) -> RoutingResult:
    return RoutingResult(event_id, "c", "f", "sales", "r", 1, received_at, routed_at, 0.0, within_target=True)


def test_journeys_are_put_together_by_event_and_come_in_the_order_of_arrival() -> None:
    results = [result("b", 20, 29), result("a", 10, 18)]

    found = journeys(results, {"a": 11, "b": 21, "throttled": 5}, {"a": 13, "b": 23}, {"a": 16, "b": 26})

    assert found == [Journey(10, 11, 13, 16, 18), Journey(20, 21, 23, 26, 29)]


def test_a_message_that_was_routed_twice_leaves_no_figure() -> None:
    written = {"a": 11}

    with pytest.raises(WrongResults, match="a was routed twice"):
        journeys([result("a", 10, 18), result("a", 10, 19)], written, written, written)


def test_hops_add_up_to_the_whole_way() -> None:
    journey = Journey(10, 11, 13, 16, 20)

    assert total([journey]) == Spread(10, 10, 10)
    assert hops([journey]) == dict(zip(HOPS, [Spread(n, n, n) for n in (1, 2, 3, 4)], strict=True))


def test_percentiles_lie_between_closest_ranks() -> None:
    assert spread(range(101)) == Spread(50, 99, 100)


def test_the_first_seconds_are_left_out_and_the_last_ones_too() -> None:
    every_half_second = [Journey(at, at, at, at, at + 5) for at in range(0, 10_000, 500)]

    measured = warm(every_half_second, after=2, seconds=3, rate=2)

    assert [each.received for each in measured] == [2000, 2500, 3000, 3500, 4000, 4500]


@pytest.mark.parametrize("rate", [3, 200])
def test_a_load_that_was_not_reached_leaves_no_figure(rate: float) -> None:
    every_half_second = [Journey(at, at, at, at, at + 5) for at in range(0, 10_000, 500)]

    with pytest.raises(WrongResults, match=f"6 messages in 3 s are not {rate} a second"):
        warm(every_half_second, after=2, seconds=3, rate=rate)


def test_no_message_at_all_leaves_no_figure() -> None:
    with pytest.raises(WrongResults, match="0 messages"):
        warm([], after=2, seconds=3, rate=2)
