"""Fingerprints of event ids, against a plain set; and what they cost."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.seen import SLICES, FingerprintSet, Seen, fingerprint

HORIZON = 900_000  # ms
SLICE = HORIZON // SLICES


@given(st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 300)))
def test_a_fingerprint_set_is_a_set(numbers: list[int]) -> None:
    found, expected = FingerprintSet(), set[int]()
    for number in numbers:
        assert (number in found) == (number in expected)
        found.add(number)
        expected.add(number)

    assert len(found) == len(expected)
    assert all(number in found for number in expected)


def test_numbers_that_fall_onto_each_other_are_told_apart() -> None:
    numbers = [(i << 32) + 63 for i in range(1000)]
    found = FingerprintSet()

    for number in numbers:
        found.add(number)

    assert len(found) == 1000
    assert (1000 << 32) + 63 not in found


def test_a_fingerprint_set_takes_twelve_to_twenty_six_bytes_a_number() -> None:
    found = FingerprintSet()
    for i in range(20_000):
        found.add(fingerprint(str(i)))
        if i >= 1000:
            assert 11.9 < sys.getsizeof(found._slots) / (i + 1) < 26


def test_fingerprints_do_not_depend_on_the_process() -> None:
    assert fingerprint("e-1") == 11_461_081_932_386_169_649
    assert fingerprint("e-2") != fingerprint("e-1")


def test_an_id_is_new_once_within_the_horizon() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(0))

    assert seen.first_time(7)
    seen.advance(seen.slice_at(HORIZON))
    assert not seen.first_time(7)


def test_slices_older_than_the_horizon_are_forgotten() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(SLICE - 1))
    seen.first_time(7)

    seen.advance(seen.slice_at(4 * SLICE))

    assert len(seen) == 0
    assert seen.first_time(7)


def test_time_does_not_go_back() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(5 * SLICE))

    assert seen.slice_at(0) == 5 * SLICE


def test_what_is_remembered_is_not_new() -> None:
    seen = Seen(HORIZON)
    seen.advance(3)
    seen.remember(2, [7, 8])

    assert not seen.first_time(7)
    assert len(seen) == 2
