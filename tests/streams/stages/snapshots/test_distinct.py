"""How many different ids there are."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.stages.snapshots.distinct import LIMIT, SLICE, Distinct


def prints(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


@settings(max_examples=100)
@given(parts=st.lists(st.lists(st.integers(0, 50), max_size=20), max_size=10), order=st.randoms(use_true_random=False))
def test_law_a_union_counts_each_once_in_any_order_and_through_any_restart(
    parts: list[list[int]], order: Random
) -> None:
    order.shuffle(parts)
    distinct, stored = Distinct(), dict[int, bytes]()
    for part in parts:
        distinct.add(prints(*part))
        if order.random() < 0.5:
            stored |= dict(distinct.changes())
            distinct = Distinct()
            distinct.restore(stored, exact=True)

    assert len(distinct) == len({number for part in parts for number in part})
    assert distinct.exact


@pytest.mark.parametrize(("number", "counted", "exact"), [(LIMIT, LIMIT, True), (LIMIT + 1, LIMIT, False)])
def test_beyond_the_limit_the_count_is_a_lower_bound(number: int, counted: int, *, exact: bool) -> None:
    distinct = Distinct()
    distinct.add(prints(*range(number)))
    distinct.add(prints(*range(10)))

    assert (len(distinct), distinct.exact) == (counted, exact)
    again = Distinct()
    again.restore(dict(distinct.changes()), exact=distinct.exact)
    assert (len(again), again.exact) == (counted, exact)


def test_only_slices_that_changed_are_stored_again() -> None:
    distinct = Distinct()
    distinct.add(prints(*range(SLICE + 1)))
    assert [number for number, _ in distinct.changes()] == [0, 1]
    assert [number for number, _ in distinct.changes()] == []
    distinct.add(prints(*range(SLICE + 5)))

    assert [(number, len(content)) for number, content in distinct.changes()] == [(1, 5 * 8)]
    assert distinct.slices() == range(2)


def test_a_broken_fingerprint_at_the_end_is_left_out() -> None:
    distinct = Distinct()
    distinct.add(prints(1) + b"1234567")

    assert len(distinct) == 1
