"""Fingerprints of event ids, and how long they are remembered."""

from streams.core.raw_frames.event_ids import SLICES, Seen, fingerprint

HORIZON = 900_000  # ms
SLICE = HORIZON // SLICES


def test_fingerprints_do_not_depend_on_the_process() -> None:
    assert fingerprint(b"e-1") == (11_461_081_932_386_169_649).to_bytes(8, "little")
    assert fingerprint(b"e-2") != fingerprint(b"e-1")


def test_an_id_is_new_once_within_the_horizon() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(0))

    assert seen.first_time(b"7")
    seen.advance(seen.slice_at(HORIZON))
    assert not seen.first_time(b"7")


def test_slices_older_than_the_horizon_are_forgotten() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(SLICE - 1))
    seen.first_time(b"7")

    seen.advance(seen.slice_at(4 * SLICE))

    assert len(seen) == 0
    assert seen.first_time(b"7")


def test_time_does_not_go_back() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(5 * SLICE))

    assert seen.slice_at(0) == 5 * SLICE


def test_a_new_slice_begins_where_one_was_said_to_end() -> None:
    seen = Seen(HORIZON)
    seen.advance(seen.slice_at(5 * SLICE + 1))

    assert seen.until == 6 * SLICE
    assert seen.slice_at(int(seen.until) - 1) == seen.newest
    assert seen.slice_at(int(seen.until)) == 6 * SLICE


def test_a_slice_of_another_length_ends_where_todays_do() -> None:
    seen = Seen(HORIZON)
    seen.advance(5 * SLICE + 100)  # stored under another horizon

    assert seen.until == 6 * SLICE


def test_what_is_remembered_is_not_new() -> None:
    seen = Seen(HORIZON)
    seen.advance(3)
    seen.remember(2, [b"7", b"8"])

    assert not seen.first_time(b"7")
    assert len(seen) == 2
