"""Calls without retry tiers and without order: what fails waits in memory, and nobody waits behind it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.dead_letters import DEAD_REASON
from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.topics import DEAD_LETTERS
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import Calls
from streams.core.contract import Chunk, Refused

TIERS = Tiers.in_memory(base=1, cap=4, retries=5)
DONE = Done()


def read(value: bytes) -> tuple[None, bytes]:
    return None, value


def calls(stored: dict[bytes, bytes] | None = None) -> Calls[bytes]:
    return Calls(7, stored or {}, stage="test", topic="asked", tiers=TIERS, read=read)


def ask(core: Calls[bytes], number: int, first: int = 0) -> None:
    records = [
        Consumed(n, b"%d" % n, b"the same key", ((SOURCE_POSITION, b"3:%d" % n),)) for n in range(first, first + number)
    ]
    core.fold(Chunk("asked", 7, records))


def seal(core: Calls[bytes], stored: dict[bytes, bytes]) -> None:
    for change in core.flush(0).seal:
        assert change.value is not None
        stored[change.key] = change.value


@pytest.mark.parametrize(
    ("cap", "retries", "delays"),
    [(4, 5, (1000, 2000, 4000)), (30, 2, (1000, 2000, 4000)), (0.5, 3, (500,)), (3, 9, (1000, 2000, 3000))],
)
def test_waits_double_up_to_the_cap(cap: float, retries: int, delays: tuple[int, ...]) -> None:
    tiers = Tiers.in_memory(base=1, cap=cap, retries=retries)

    assert tiers.delays == delays
    assert [tiers.after(attempt) for attempt in (1, 99)] == [0, len(delays) - 1]


def test_a_slow_call_holds_up_nobody() -> None:
    core = calls()
    ask(core, 3)

    slow, *others = core.start(0, 10)
    for job in others:
        core.finish(job, DONE, 0)

    assert [job.source for job in (slow, *others)] == [(3, 0), (3, 1), (3, 2)]
    assert core.flush(0).reached == {"asked": -1}  # the slow one is not settled
    core.finish(slow, DONE, 0)
    assert core.flush(0).reached == {"asked": 2}


def test_a_failed_call_comes_again_when_it_is_due_and_writes_nothing_meanwhile() -> None:
    core = calls()
    ask(core, 2)
    first, second = core.start(0, 10)

    core.finish(first, Failed("500"), 0)
    core.finish(second, DONE, 0)

    assert core.parked == 1
    assert core.answered == 1  # the failed one is not waiting to be written
    assert core.next_due == 1000
    assert core.start(999, 10) == []
    flush = core.flush(0)
    assert (flush.outputs, flush.reached) == ([], {"asked": -1})
    (again,) = core.start(1000, 10)
    assert (again.source, again.attempt, again.idempotency_key) == ((3, 0), 2, "3-0")
    core.finish(again, DONE, 1000)
    assert core.flush(1).reached == {"asked": 1}
    assert core.parked == 0


def test_what_fails_too_often_is_a_dead_letter_with_its_story() -> None:
    core = calls()
    ask(core, 1)
    now = 0
    for _ in range(6):
        (job,) = core.start(now, 1)
        core.finish(job, Failed("503 busy"), now)
        now = core.next_due or now

    (dead,) = core.flush(0).outputs
    assert (dead.topic, dead.value) == (DEAD_LETTERS.name, b"0")
    assert dict(dead.headers)[DEAD_REASON] == b"given up"
    assert now == 1000 + 2000 + 4000 + 4000 + 4000
    assert core.start(now + 10_000, 1) == []


def test_a_waiting_record_comes_again_after_a_kill_and_the_others_do_not() -> None:
    core, stored = calls(), dict[bytes, bytes]()
    ask(core, 3)
    first, second, third = core.start(0, 10)
    core.finish(first, DONE, 0)
    core.finish(second, Failed("500"), 0)
    core.finish(third, Refused("bad", "422"), 0)
    seal(core, stored)

    revived = calls(stored)
    ask(revived, 3)

    assert [job.source for job in revived.start(0, 10)] == [(3, 1)]


steps = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([DONE, Failed("x"), Refused("bad", "x"), None]),
        st.sampled_from(["", "seal", "kill"]),
    ),
    max_size=60,
)


@settings(max_examples=50)
@given(st.integers(1, 12), steps)
def test_what_is_sealed_is_never_called_again_and_all_the_rest_is(
    number: int, steps: list[tuple[int, Outcome | None, str]]
) -> None:
    core, stored = calls(), dict[bytes, bytes]()
    finished, sealed = set[int](), set[int]()
    ask(core, number)
    under_way: list[Job[bytes]] = []
    now = 0
    for which, outcome, then in steps:
        now += 3000
        under_way += core.start(now, 4 - len(under_way))
        assert not {job.offset for job in under_way} & (finished | sealed)
        if under_way:
            job = under_way.pop(which % len(under_way))
            if outcome is None:
                core.release(job)
            else:
                waiting = core.parked
                core.finish(job, outcome, now)
                if core.parked == waiting:
                    finished.add(job.offset)
        if then == "seal":
            seal(core, stored)
            sealed |= finished
        if then == "kill":
            core, under_way, finished = calls(stored), [], set()
            ask(core, number)
    while len(finished | sealed) < number:
        now += 5000
        under_way += core.start(now, 10)
        finished |= {job.offset for job in under_way}
        for job in under_way:
            core.finish(job, DONE, now)
        under_way = []

    assert core.flush(0).reached == {"asked": number - 1}
