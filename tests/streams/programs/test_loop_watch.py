"""A block of the event loop is seen, whole, and told of once."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.programs.loop_watch import MOST, LoopWatch

BEAT = 0.25  # which floats hold exactly, as all multiples of it


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watched:
    clock: Clock = field(default_factory=Clock)
    late: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = LoopWatch(BEAT, late=self.late.append, clock=self.clock)
        self.watch._due = self.clock.now + BEAT

    def look_after(self, seconds: float) -> float:
        self.clock.now += seconds
        return self.watch.look()


def test_a_loop_that_answers_is_late_by_nothing() -> None:
    watched = Watched()

    waits = [watched.look_after(BEAT) for _ in range(3)]

    assert (watched.late, waits, watched.watch.longest()) == ([0, 0, 0], [BEAT] * 3, 0)


def test_each_beat_of_a_block_counts_with_how_late_it_came() -> None:
    watched = Watched()

    wait = watched.look_after(4 * BEAT + 0.125)  # the first was due after one BEAT

    assert watched.late == [3 * BEAT + 0.125, 2 * BEAT + 0.125, BEAT + 0.125, 0.125]
    assert wait == BEAT - 0.125, "beats stay where they were: a block moves none"


def test_the_longest_block_is_told_to_whoever_asks_first() -> None:
    watched = Watched()
    watched.look_after(9 * BEAT)
    watched.look_after(BEAT)

    assert (watched.watch.longest(), watched.watch.longest()) == (8 * BEAT, 0)


def test_a_timer_that_comes_early_is_no_beat() -> None:
    watched = Watched()

    assert (watched.look_after(BEAT / 2), watched.late) == (BEAT / 2, [])


def test_a_process_that_was_suspended_for_long_does_not_count_for_as_long() -> None:
    watched = Watched()

    watched.look_after(100 * MOST * BEAT)

    assert len(watched.late) == MOST
    assert watched.look_after(BEAT) == BEAT
    assert watched.late[-1] == 0


@given(st.lists(st.integers(0, 40), max_size=30))
def test_whatever_happens_there_are_as_many_beats_as_were_due(steps: list[int]) -> None:
    watched = Watched()

    for eighths in steps:
        wait = watched.look_after(eighths * BEAT / 8)
        assert 0 < wait <= BEAT

    assert len(watched.late) == sum(steps) // 8


async def test_a_block_of_a_real_loop_is_seen_and_one_that_was_stopped_sees_nothing() -> None:
    late: list[float] = []
    watch = LoopWatch(0.01, late=late.append)
    watch.start()
    await asyncio.sleep(0)

    time.sleep(0.1)  # noqa: ASYNC251 - which is what it is about
    while not late:  # noqa: ASYNC110 - a beat is no event
        await asyncio.sleep(0.001)
    watch.stop()

    assert max(late) == pytest.approx(watch.longest())
    assert max(late) >= 0.08
    assert len(late) >= 9
