import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.runtime.driver.coverage import Coverage

GAPS = st.integers(0, 3)


class OnePartition(RuleBasedStateMachine):
    """A partition whose chunks are acknowledged in any order, beside a plain list of what is still open."""

    @initialize(position=st.integers(0, 100))
    def assign(self, position: int) -> None:
        self.coverage = Coverage(position)
        self.begin(position)

    def begin(self, position: int) -> None:
        self.chunks: list[tuple[int, int, int]] = []  # first record, last record, position after it
        self.acknowledged: set[int] = set()
        self.expected = self.ready = position

    @rule(before=GAPS, records=st.integers(1, 5), after=GAPS)
    def deliver(self, before: int, records: int, after: int) -> None:
        first = self.expected + before
        last = first + records - 1
        self.expected = last + 1 + after
        self.chunks.append((first, last, self.expected))
        assert self.coverage.deliver(last, self.expected) == len(self.chunks) - 1

    @rule(offsets=st.integers(0, 5))
    def skip(self, offsets: int) -> None:
        self.expected += offsets
        self.coverage.skip(self.expected)

    @precondition(lambda self: self.open())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        self.acknowledged.add(data.draw(st.sampled_from([last for _, last, _ in self.open()])))

    @rule()
    def acknowledge_all(self) -> None:
        self.acknowledged.update(last for _, last, _ in self.chunks)
        assert self.coverage.advance(self.acknowledged) == self.expected

    @rule(position=st.integers(0, 100))
    def reset(self, position: int) -> None:
        self.coverage.reset(position)
        self.begin(position)

    def open(self) -> list[tuple[int, int, int]]:
        return [chunk for chunk in self.chunks if chunk[1] not in self.acknowledged]

    @invariant()
    def delivery_goes_on_where_it_ended(self) -> None:
        assert self.coverage.expected == self.expected

    @invariant()
    def commits_never_pass_an_open_record_nor_go_back_nor_stall(self) -> None:
        ready = self.coverage.advance(self.acknowledged)

        assert ready == self.coverage.ready
        assert ready >= self.ready
        self.ready = ready
        waiting = self.open()
        if not waiting:
            assert ready == self.expected
            return
        done = self.chunks[: self.chunks.index(waiting[0])]
        assert ready <= waiting[0][0]
        assert ready >= max((end for _, _, end in done), default=0)


TestOnePartition = OnePartition.TestCase


def acknowledging(coverage: Coverage, *lasts: int) -> int:
    return coverage.advance(set(lasts))


def test_nothing_is_ready_before_the_first_chunk_is_acknowledged() -> None:
    coverage = Coverage(7)
    coverage.deliver(9, 10)
    coverage.deliver(14, 15)

    assert acknowledging(coverage) == 7
    assert acknowledging(coverage, 14) == 7
    assert acknowledging(coverage, 9, 14) == 15


def test_a_commit_covers_what_is_no_record() -> None:
    coverage = Coverage(0)
    coverage.deliver(4, 6)  # offset 5 is the marker of a transaction

    assert acknowledging(coverage, 4) == 6
    coverage.skip(20)

    assert (coverage.ready, coverage.expected) == (20, 20)


def test_skipping_waits_for_what_is_open() -> None:
    coverage = Coverage(0)
    coverage.deliver(4, 5)
    coverage.skip(9)

    assert (coverage.ready, coverage.expected) == (0, 9)
    assert acknowledging(coverage, 4) == 9


def test_after_a_reset_earlier_acknowledgements_say_nothing_about_what_comes_again() -> None:
    coverage = Coverage(0)
    coverage.deliver(4, 5)
    coverage.deliver(9, 10)
    coverage.reset(0)
    coverage.deliver(3, 4)

    assert acknowledging(coverage, 4, 9) == 0


@pytest.mark.parametrize("chunk", [(4, 5), (7, 7), (9, 5)])
def test_a_chunk_follows_what_was_delivered(chunk: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot follow position 5"):
        Coverage(5).deliver(*chunk)
