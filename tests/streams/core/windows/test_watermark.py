"""The watermark of a partition, by what is told of the raw partitions behind it."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import EventTimeProgress
from streams.core.windows.watermark import PENDING, RawProgress, Watermark

PARTITION = 2


class Told:
    """What was heard of two raw partitions."""

    def __init__(self) -> None:
        self.raw = RawProgress()
        self.watermark = self.restarted()

    def restarted(self) -> Watermark:
        return Watermark(PARTITION, self.raw)

    def say(self, raw: int, passed: int, reached: int = -1, *, partitions: int = 2) -> None:
        offsets = [reached if place == PARTITION else 99 for place in range(PARTITION + 1)]
        self.raw.take(EventTimeProgress("raw", raw, partitions, "completed", passed, passed - 5, False, offsets))

    def heard(self) -> int:
        return self.watermark.advance()


def test_it_stands_where_the_last_raw_partition_is() -> None:
    told = Told()
    told.say(0, 100)
    told.say(1, 70)

    assert told.heard() == 70
    assert told.watermark.log_time == 65


def test_a_raw_partition_that_was_not_heard_of_holds_it_up() -> None:
    told = Told()
    told.say(0, 100)

    assert told.heard() == 0
    told.say(1, 50)
    assert told.heard() == 50


def test_what_is_told_counts_when_all_that_it_speaks_of_is_folded() -> None:
    told = Told()
    told.say(0, 100, reached=7)
    told.say(1, 100)

    assert told.heard() == 0
    told.watermark.take(6)
    assert told.heard() == 0
    told.watermark.take(7)
    assert told.heard() == 100


def test_what_was_told_before_a_topic_was_made_again_is_not_waited_for() -> None:
    told = Told()
    told.say(0, 100, reached=5_000)
    told.say(1, 100, reached=4_000)
    assert told.heard() == 0

    told.say(0, 40, reached=7)
    told.say(1, 30, reached=5)
    told.watermark.take(7)

    assert told.heard() == 30


def test_a_reader_that_lies_behind_all_the_time_goes_on_all_the_same() -> None:
    told, reached = Told(), []
    told.say(1, 10**9)
    for step in range(1, 4 * PENDING):
        told.say(0, step, reached=step)
        told.watermark.take(step - 2 * PENDING)
        reached.append(told.heard())

    assert reached[-1] > PENDING
    assert all(at <= max(step - 2 * PENDING, 0) for step, at in enumerate(reached, 1)), "never ahead of what is folded"
    assert reached == sorted(reached)


def test_it_never_goes_back() -> None:
    told = Told()
    told.say(0, 100)
    told.say(1, 100)
    told.heard()
    told.say(1, 30)  # a stage whose state was lost begins anew
    told.say(0, 200)

    assert told.heard() == 100


def test_a_topic_that_has_grown_waits_for_the_new_raw_partition() -> None:
    told = Told()
    told.say(0, 100)
    told.say(1, 100)
    told.heard()

    told.say(0, 200, partitions=3)
    told.say(1, 200, partitions=3)
    assert told.heard() == 100
    told.say(2, 150, partitions=3)
    assert told.heard() == 150


def test_a_place_that_nothing_was_published_to_is_not_waited_for() -> None:
    told = Told()
    told.raw.take(EventTimeProgress("raw", 0, 1, "completed", 9, 9, True, [4]))

    assert told.heard() == 9


def test_it_is_restored() -> None:
    told = Told()
    told.say(0, 100, reached=7)
    told.say(1, 100)
    told.watermark.take(7)
    told.heard()
    stored = told.watermark.stored()

    told.watermark = told.restarted()
    told.watermark.restore(stored)
    assert told.heard() == 100, "what was folded stays folded"
    told.raw = RawProgress()
    told.watermark = told.restarted()
    told.watermark.restore(stored)
    assert (told.heard(), told.watermark.log_time) == (100, 95)


def told_of(raw: int, passed: int, offsets: list[int]) -> EventTimeProgress:
    return EventTimeProgress("raw", raw, 3, "completed", passed, passed - 5, False, offsets)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30), st.lists(st.integers(0, 4), max_size=3))  # of a raw partition
        | st.tuples(st.just(None), st.integers(0, 12), st.just([])),  # so many records folded
        max_size=40,
    )
)
def test_it_is_never_ahead_of_what_is_folded_and_comes_to_what_was_told(
    steps: list[tuple[int | None, int, list[int]]],
) -> None:
    raw, offsets = RawProgress(), {each: [-1, -1, -1] for each in range(3)}
    partitions = [Watermark(partition, raw) for partition in range(3)]
    taken, last = [-1, -1, -1], [0, 0, 0]
    claims: dict[int, list[tuple[int, list[int]]]] = {each: [] for each in range(3)}

    for of, number, further in steps:
        if of is None:
            at = number % 3
            taken[at] += number
            partitions[at].take(taken[at])
        else:
            for place, more in enumerate(further):
                offsets[of][place] += more
            claims[of].append((number, list(offsets[of])))
            raw.take(told_of(of, number, list(offsets[of])))
        for place, watermark in enumerate(partitions):
            true = [
                max((passed for passed, on in claims[each] if on[place] <= taken[place]), default=0) for each in claims
            ]
            assert last[place] <= watermark.advance() <= max(min(true), last[place])
            last[place] = watermark.reached

    for watermark in partitions:
        watermark.take(100_000)
        told = [max((passed for passed, _ in claims[each]), default=0) for each in claims]
        assert watermark.advance() == min(told)
