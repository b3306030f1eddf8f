import pytest

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import EVENT_ID, SOURCE_POSITION
from schemas.records import RoutingResult
from streams.demo import guest_board as module
from streams.demo.guest_board import Fate, Guests


def headers(number: int) -> dict[str, bytes]:
    return {SOURCE_POSITION: b"0:%d" % number, EVENT_ID: b"e-%d" % number}


def result(seconds: float) -> RoutingResult:
    return RoutingResult("e", "c", None, "q", "r", 1, 0, 0, seconds, within_target=seconds <= 2)


def test_a_record_that_comes_again_counts_once() -> None:
    fate = Fate()

    assert [fate.add(headers(number)) for number in (1, 2, 1)] == [True, True, False]
    assert (fate.count, fate.events) == (2, {"0:1": "e-1", "0:2": "e-2"})


def test_counts_go_on_when_the_oldest_are_forgotten() -> None:
    fate = Fate()
    for number in range(module.KEPT + 3):
        fate.add(headers(number))

    assert (fate.count, len(fate.events), "0:2" in fate.events) == (module.KEPT + 3, module.KEPT, False)


def test_percentiles_are_of_recent_results_and_the_share_is_of_all() -> None:
    guests = Guests()
    for number in range(module.RECENT + 1000):
        guests.result(headers(number), result(3.0 if number < 1000 else number / 1_000_000))
    guests.result(headers(0), result(3.0))  # comes again

    assert guests.percentile(0.5) == pytest.approx(0.0015, abs=0.000_01)
    assert guests.percentile(0.95) == pytest.approx(0.00195, abs=0.000_01)
    assert guests.within_target == pytest.approx(0.5)


def test_nobody_routed_is_no_share() -> None:
    assert (Guests().within_target, Guests().percentile(0.5)) == (None, None)


def test_dead_letters_of_two_stages_are_two() -> None:
    guests = Guests()
    for stage in (b"routing", b"crm", b"crm"):
        guests.dead_letter(headers(1) | {DEAD_STAGE: stage, DEAD_SOURCE: b"admitted:0:1", DEAD_REASON: b"refused"})

    assert guests.dead_letters == {"refused": 2}
