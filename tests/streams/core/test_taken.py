"""Which records are new, which were taken before, and which nobody may take."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import DEAD_STAGE
from schemas.envelope import REPLAY_FOR, SOURCE_POSITION, Consumed, Headers
from streams.core.contract import Flush
from streams.core.taken import (
    DEAD_BEFORE,
    FARTHEST,
    NO_POSITION,
    OUT_OF_REACH,
    PositionError,
    Taken,
    source_position,
)

BAD_POSITIONS = [
    b"",
    b":",
    b"1",
    b"1:",
    b":1",
    b"a:b",
    b"1:2:3",
    b"\xff:1",
    b"1.5:2",
    b"-1:2",
    b"1:+2",
    b"1: 2",
    b"1:1_0",
]
TOO_LARGE = [b"99999999999999999999:1", b"10000000000:1", b"1:1000000000000000000", b"1:%d" % 2**63]


def record(position: bytes | None, *others: tuple[str, bytes]) -> Consumed:
    headers: Any = (("other", b"1:2"), (SOURCE_POSITION, position), *others)
    return Consumed(99, b"", headers=headers)


def taken(*positions: tuple[int, int]) -> Taken:
    return Taken("topic", positions)


def refusal(call: Any, *arguments: Any) -> str:
    with pytest.raises(PositionError) as refused:
        call(*arguments)
    assert refused.value.refused.detail
    return refused.value.refused.reason


@pytest.mark.parametrize("position", [(0, 0), (11, 1_234_567_890_123), (99_999, 10**18 - 1)])
def test_a_record_comes_from_the_frame_that_its_header_names(position: tuple[int, int]) -> None:
    found = record(b"%d:%d" % position)

    assert source_position(found) == position
    assert taken().new(found) == position


@pytest.mark.parametrize("headers", [(), (("other", b"1:2"),)])
def test_a_record_without_the_header_is_refused(headers: Headers) -> None:
    assert refusal(source_position, Consumed(99, b"", headers=headers)) == NO_POSITION
    assert refusal(taken().new, Consumed(99, b"", headers=headers)) == NO_POSITION


@pytest.mark.parametrize("value", [*BAD_POSITIONS, *TOO_LARGE, None])
@pytest.mark.parametrize("known", [False, True])
def test_a_record_whose_header_is_no_position_is_refused(value: bytes | None, known: bool) -> None:
    before = taken((1, 0))
    if known:
        before.new(record(b"1:1"))

    assert refusal(before.new, record(value)) == NO_POSITION


def test_only_what_the_stage_took_counts_as_taken() -> None:
    before = taken()

    assert before.new(record(b"3:999")) == (3, 999), "nobody could read it"
    assert before.new(record(b"3:5")) == (3, 5)
    before.positions[3] = 5
    assert before.new(record(b"3:5")) is None
    assert before.new(record(b"3:6")) == (3, 6)
    assert before.new(record(b"4:0")) == (4, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20))))
def test_each_position_is_new_until_one_as_high_was_taken(positions: list[tuple[int, int]]) -> None:
    before, highest = taken(), dict[int, int]()
    for raw, offset in positions:
        found = before.new(record(b"%d:%d" % (raw, offset)))

        assert found == (None if offset <= highest.get(raw, -1) else (raw, offset))
        if found:
            before.positions[raw] = highest[raw] = offset


def test_the_next_life_goes_on_from_what_was_taken() -> None:
    before = taken((1, 7), (2, 9))

    assert Taken("topic", before.stored()).positions == {1: 7, 2: 9}


def test_skipped_replays_are_told_once_by_topic() -> None:
    before = taken((1, 7))
    for offset in (1, 2, 7):
        assert before.new(record(b"1:%d" % offset)) is None
    first, second = Flush(), Flush()

    before.tell(first)
    before.tell(second)

    assert (first.replays, second.replays) == ({"topic": 3}, {})
    assert not first, "there is nothing to write"


def test_a_jump_beyond_what_a_topic_can_hold_is_refused_and_told() -> None:
    before, flush = taken((1, 7)), Flush()

    assert before.new(record(b"1:%d" % (7 + FARTHEST))) == (1, 7 + FARTHEST)
    for _ in range(100):
        assert refusal(before.new, record(b"1:%d" % (8 + FARTHEST))) == OUT_OF_REACH
    before.tell(flush)

    (alarm,) = flush.alarms
    assert "raw partition 1" in alarm
    assert before.new(record(b"1:8")) == (1, 8), "what follows is no replay"


def test_no_claim_makes_more_raw_partitions_than_can_be_stored() -> None:
    assert taken().new(record(b"99999:1")) == (99_999, 1)
    assert refusal(taken().new, record(b"100000:1")) == NO_POSITION


def test_the_first_header_counts_whatever_was_read_before() -> None:
    before = taken()
    for _ in range(2):
        assert refusal(before.new, record(None, (SOURCE_POSITION, b"1:9"))) == NO_POSITION
        assert before.new(record(b"1:8")) == (1, 8)


def test_the_first_of_a_raw_partition_may_come_from_anywhere() -> None:
    assert taken().new(record(b"1:%d" % (10 * FARTHEST))) == (1, 10 * FARTHEST)


def test_a_dead_letter_that_was_produced_again_is_no_replay() -> None:
    letter = record(b"1:3", (DEAD_STAGE, b"percentiles"))

    assert refusal(taken((1, 7)).new, letter) == DEAD_BEFORE
    assert taken((1, 2)).new(letter) == (1, 3), "it is in its place: its stage never took it"


def test_many_raw_partitions_are_told_apart() -> None:
    before = taken()
    for raw in range(3000):
        assert before.new(record(b"%d:1" % raw)) == (raw, 1)
        before.positions[raw] = 1

    assert all(before.new(record(b"%d:1" % raw)) is None for raw in range(3000))


def test_what_is_replayed_for_another_stage_is_passed_over() -> None:
    marked = Consumed(9, b"", headers=((REPLAY_FOR, b"crm"), (SOURCE_POSITION, b"1:9")))

    assert Taken("topic", stage="routing").new(marked) is None
    assert Taken("topic", stage="crm").new(marked) == (1, 9)
    assert Taken("topic").new(marked) == (1, 9), "it hands records on"
