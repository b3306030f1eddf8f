import pytest

from benchmarks.journeys import Spread
from benchmarks.passages import HOPS, Passage, hops, passages, total, warm
from benchmarks.results import WrongResults

NOON, ONE = ("campaign", 43_200_000), ("campaign", 46_800_000)


def test_an_event_has_passed_with_the_first_row_that_counts_it() -> None:
    raw = {"a": 10, "b": 11, "c": 12, "d": 13}
    typed = [("a", NOON, 14), ("c", NOON, 15), ("d", ONE, 16), ("b", NOON, 17)]
    rows = [(NOON, 1, 20), (ONE, 1, 21), (NOON, 3, 22), (NOON, 3, 99)]

    found = passages(raw, typed, rows)

    assert found == [Passage(10, 14, 20), Passage(11, 17, 22), Passage(12, 15, 22), Passage(13, 16, 21)]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 events in no row"), (3, "counts 3 events of 2"), (0, "2 events in no row")]
)
def test_an_event_that_is_not_counted_once_leaves_no_figure(count: int, said: str) -> None:
    with pytest.raises(WrongResults, match=said):
        passages({"a": 10, "b": 11}, [("a", NOON, 14), ("b", NOON, 15)], [(NOON, count, 20)])


def test_a_frame_that_was_lost_on_the_way_leaves_no_figure() -> None:
    with pytest.raises(WrongResults, match="2 frames"):
        passages({"a": 10, "b": 11}, [("a", NOON, 14)], [(NOON, 1, 20)])


def test_hops_add_up_to_the_whole_way() -> None:
    assert total([Passage(10, 12, 17)]) == Spread(7, 7, 7)
    assert hops([Passage(10, 12, 17)]) == dict(zip(HOPS, [Spread(n, n, n) for n in (2, 5)], strict=True))


def test_the_first_seconds_are_left_out_and_a_load_that_was_not_reached_leaves_no_figure() -> None:
    every_half_second = [Passage(at, at, at + 5) for at in range(0, 10_000, 500)]

    assert [each.raw for each in warm(every_half_second, after=2, seconds=1, rate=2)] == [2000, 2500]
    with pytest.raises(WrongResults, match="2 events in 1 s are not 3 a second"):
        warm(every_half_second, after=2, seconds=1, rate=3)
