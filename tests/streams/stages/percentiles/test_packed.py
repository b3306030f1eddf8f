"""Durations that are packed come back as they were, whatever they are."""

from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.times import LONGEST_DURATION
from streams.stages.percentiles.packed import pack, unpack
from streams.stages.percentiles.window import Window

DURATIONS = (
    st.integers(0, 1000).map(float)
    | st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000)
    | st.floats(0, LONGEST_DURATION)
)
COUNTS = st.dictionaries(DURATIONS, st.integers(1, 300) | st.integers(1, 2**60))


@given(COUNTS, COUNTS)
@example({}, {-0.0: 1, 3.0: 2})
@example({0.1 + 0.2: 1}, {LONGEST_DURATION: 2**32, 0.0: 1})
def test_what_was_packed_comes_back_bit_for_bit_wherever_it_stands(
    first: dict[float, int], second: dict[float, int]
) -> None:
    packed = pack(first) + pack(second)

    again, end = unpack(packed)
    last, whole = unpack(packed, end)

    assert sorted(map(repr, again.items())) == sorted(map(repr, first.items()))
    assert sorted(map(repr, last.items())) == sorted(map(repr, second.items()))
    assert whole == len(packed)


def test_whole_seconds_and_milliseconds_take_two_bytes_each_and_others_nine() -> None:
    about = len(pack({}))

    assert len(pack({float(second): 1 for second in range(200)})) == about + 200 * 2
    assert len(pack({100 + step / 1000: 1 for step in range(200)})) <= about + 200 * 5
    assert len(pack({step / 7: 1 for step in range(200)})) == about + 200 * 9


def test_a_final_hour_that_was_stored_as_json_is_read_as_it_is() -> None:
    json = b'{"revision":3,"final":true,"handle":{"values":[60.5],"counts":[2]},"wait":{"values":[5.0],"counts":[2]}}'

    window = Window.restored(json)

    assert (window.revision, window.final, window.handle.counts, window.wait.counts) == (3, True, {60.5: 2}, {5.0: 2})
    again = Window.restored(window.stored())
    assert len(window.stored()) < len(json)
    assert again.row("sales", 0) == window.row("sales", 0)
