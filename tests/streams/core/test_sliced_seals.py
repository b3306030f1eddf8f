"""Seals by slice: what counts after a kill, and what is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.contract import Change
from streams.core.sliced_seals import Joining, SlicedSeals

Stored = dict[bytes, bytes]


def store(stored: Stored, changes: list[Change]) -> None:
    for change in changes:
        if change.value is None:
            stored.pop(change.key, None)
        else:
            stored[change.key] = change.value


def test_what_was_sealed_comes_back_by_slice_and_in_order() -> None:
    stored: Stored = {}
    seals = SlicedSeals(stored)
    store(stored, seals.seal(7, {(2,): [b"c"], (1,): [b"a", b"b"]}, (2,), b"head"))

    restored = SlicedSeals(stored)

    assert (restored.covered, restored.head) == (7, b"head")
    assert list(restored.restored()) == [((1,), 7, b"a"), ((1,), 7, b"b"), ((2,), 7, b"c")]
    assert list(restored.restored()) == [], "it is let go of"


def test_a_seal_of_nothing_moves_what_is_covered() -> None:
    stored: Stored = {}
    seals = SlicedSeals(stored)
    store(stored, seals.seal(7, {}, (2,), b""))

    assert SlicedSeals(stored).covered == 7


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_seal_that_was_cut_short_counts_for_nothing(written: int) -> None:
    stored: Stored = {}
    seals = SlicedSeals(stored)
    store(stored, seals.seal(3, {(1,): [b"a"]}, (1,), b"old"))
    store(stored, seals.seal(9, {(1,): [b"b", b"c"], (2,): [b"d"]}, (2,), b"new")[:written])

    restored = SlicedSeals(stored)

    assert (restored.covered, restored.head) == (3, b"old")
    assert [part for _, _, part in restored.restored()] == [b"a"]


def test_slices_before_one_are_deleted_whole() -> None:
    stored: Stored = {}
    seals = SlicedSeals(stored)
    store(stored, seals.seal(3, {(0, 10): [b"a", b"b"], (0, 20): [b"c"], (1, 5): [b"d"]}, (1, 5), b""))
    seals = SlicedSeals(stored)

    store(stored, seals.forget((1, 0)))

    assert [slice_ for slice_, _, _ in SlicedSeals(stored).restored()] == [(1, 5)]
    assert seals.forget((1, 0)) == []


def test_small_values_of_a_slice_are_joined_when_they_are_many() -> None:
    joining = Joining(item=2, largest=4, small=2, many=3)
    stored: Stored = {}
    seals = SlicedSeals(stored, joining)
    for covered, part in enumerate([b"aa", b"bb", b"cc"]):
        store(stored, seals.seal(covered, {(1,): [part]}, (1,), b""))
    assert len(stored) == 3

    store(stored, seals.seal(3, {(1,): [b"dd", b"ee"]}, (1,), b"head"))

    restored = SlicedSeals(stored, joining)
    assert restored.head == b"head"
    assert [part for _, _, part in restored.restored()] == [b"aabbccdd", b"ee"]


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.dictionaries(st.integers(0, 4), st.lists(st.binary(max_size=3), min_size=1))),
        max_size=5,
    ),
    st.integers(0, 40),
)
def test_any_prefix_of_what_was_written_restores_the_last_whole_seal(
    seals_: list[tuple[int, dict[int, list[bytes]]]], prefix: int
) -> None:
    seals, changes, whole, covered = SlicedSeals({}), list[Change](), [(-1, 0)], -1
    for passed, added in seals_:
        covered += passed
        changes += seals.seal(covered, {(index,): parts for index, parts in added.items()}, (9,), b"%d" % covered)
        whole.append((covered, len(changes)))
    stored: Stored = {}
    store(stored, changes[:prefix])

    restored = SlicedSeals(stored)

    expected = max(covered for covered, end in whole if end <= prefix)
    assert restored.covered == expected
    assert restored.head == (b"" if expected < 0 else b"%d" % expected)
    assert all(covered <= expected for _, covered, _ in restored.restored())
