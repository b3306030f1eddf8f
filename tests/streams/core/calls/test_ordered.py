"""Calls in order per key: what waits, what goes where, and what is remembered."""

import orjson
import pytest

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from schemas.topics import DEAD_LETTERS
from streams.core.calls.job import ATTEMPT, DUE, HISTORY, LONGEST_REASON, ORIGIN, Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import FORGOTTEN, LARGEST, MOST_WAITING, SLOW, TOO_LARGE, TOO_MANY, Calls, split
from streams.core.contract import Chunk, Flush, Refused
from streams.core.taken import NO_POSITION

TIERS = Tiers.growing(("retry.1", "retry.2", "retry.3"), base=2, cap=5, retries=3)
DONE = Done()


def read(value: bytes) -> tuple[str, bytes]:
    if not value:
        raise ValueError("nothing in it")
    return value[:1].decode(), value


def calls(stored: dict[bytes, bytes] | None = None, *, once: bool = False, most: int = MOST_WAITING) -> Calls[bytes]:
    return Calls(
        7, stored or {}, stage="test", topic="asked", tiers=TIERS, read=read, once=once, remember=10_000, most=most
    )


def ask(core: Calls[bytes], *values: str, first: int = 0) -> None:
    records = [
        Consumed(n, value.encode(), value[:1].encode(), ((SOURCE_POSITION, b"3:%d" % n),))
        for n, value in enumerate(values, first)
    ]
    core.fold(Chunk("asked", 7, records))


def again(core: Calls[bytes], record: Outgoing, offset: int = 0) -> None:
    core.fold(Chunk(record.topic, 7, [Consumed(offset, record.value, record.key, record.headers)]))


def values(jobs: list[Job[bytes]]) -> list[bytes]:
    return [job.message for job in jobs]


def answer(core: Calls[bytes], outcome: Outcome, now: int = 0) -> Flush:
    """Make one call that is due, and return what comes of it."""
    (job,) = core.start(now, 1)
    core.finish(job, outcome, now)
    return core.flush(now / 1000)


def after(flush: Flush, stored: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    kept = dict(stored or {})
    for change in flush.seal:
        if change.value is None:
            del kept[change.key]
        else:
            kept[change.key] = change.value
    return kept


def dead(flush: Flush) -> dict[bytes, bytes]:
    """Return the source and the reason of each dead letter."""
    letters = [dict(output.headers) for output in flush.outputs if output.topic == DEAD_LETTERS.name]
    return {headers[DEAD_SOURCE]: headers[DEAD_REASON] for headers in letters}


def test_keys_are_called_side_by_side_and_the_records_of_one_in_order() -> None:
    core = calls()
    ask(core, "a1", "a2", "b1")

    first = core.start(0, 10)
    assert values(first) == [b"a1", b"b1"]
    assert core.start(0, 10) == []
    core.finish(first[0], DONE, 0)

    assert values(core.start(0, 10)) == [b"a2"]


def test_no_more_is_started_than_there_is_room_for() -> None:
    core = calls()
    ask(core, "a", "b", "c")

    assert values(core.start(0, 2)) == [b"a", b"b"]
    assert values(core.start(0, 2)) == [b"c"]


def test_what_is_answered_in_any_order_is_acknowledged_without_a_hole() -> None:
    core = calls()
    ask(core, "a", "b", "c")
    a, b, c = core.start(0, 10)

    core.finish(c, DONE, 0)
    assert core.flush(0).reached == {"asked": -1, "retry.1": -1, "retry.2": -1, "retry.3": -1}
    core.finish(a, DONE, 0)
    assert (core.flush(0).reached or {})["asked"] == 0
    core.finish(b, DONE, 0)

    assert (core.flush(0).reached or {})["asked"] == 2


def test_what_was_answered_is_not_called_again_after_a_kill() -> None:
    core = calls()
    ask(core, "a", "b", "c")
    a, _, c = core.start(0, 10)
    core.finish(c, DONE, 0)
    core.finish(a, DONE, 0)
    stored = after(core.flush(0))

    core = calls(stored)
    ask(core, "b", "c", first=1)

    assert values(core.start(0, 10)) == [b"b"]


def test_an_idempotency_key_is_the_same_after_a_kill_and_for_each_attempt() -> None:
    core = calls()
    ask(core, "a")
    (job,) = core.start(0, 1)
    assert job.idempotency_key == "3-0"
    core.finish(job, Failed("500"), 0)
    (waiting,) = core.flush(0).outputs

    again(core, waiting)
    (job,) = core.start(2000, 1)

    assert job.idempotency_key == "3-0"


def test_a_failed_call_waits_in_tiers_that_grow_and_then_is_a_dead_letter_with_its_history() -> None:
    core, now, seen = calls(), 0, []
    ask(core, "a")
    for attempt in range(3):
        (waiting,) = answer(core, Failed(f"500 of {attempt}"), now).outputs
        headers = dict(waiting.headers)
        seen.append((waiting.topic, int(headers[ATTEMPT]), int(headers[DUE]) - now, waiting.partition))
        again(core, waiting)
        assert core.start(int(headers[DUE]) - 1, 1) == []
        now = int(headers[DUE])

    (dead,) = answer(core, Failed("500 at last"), now).outputs

    assert seen == [("retry.1", 2, 2000, 7), ("retry.2", 3, 4000, 7), ("retry.3", 4, 5000, 7)]
    headers = dict(dead.headers)
    assert (dead.topic, dead.value, dead.key) == (DEAD_LETTERS.name, b"a", b"a")
    assert headers[DEAD_REASON] == b"given up"
    assert headers[DEAD_DETAIL] == b"4 attempts failed, the last one with: 500 at last"
    assert (headers[DEAD_SOURCE], headers[DEAD_STAGE]) == (b"asked:7:0", b"test")
    assert orjson.loads(headers[HISTORY]) == [
        [0, "500 of 0"],
        [2000, "500 of 1"],
        [6000, "500 of 2"],
        [11000, "500 at last"],
    ]
    assert core.parked == 0


def test_a_refused_call_is_a_dead_letter_at_once() -> None:
    core = calls()
    ask(core, "a")

    (dead,) = answer(core, Refused("no queue", "400 unknown queue q1")).outputs

    assert dict(dead.headers)[DEAD_REASON] == b"no queue"
    assert dict(dead.headers)[DEAD_DETAIL] == b"400 unknown queue q1"


def test_nobody_overtakes_an_earlier_message_that_waits() -> None:
    core = calls()
    ask(core, "a1", "a2", "b1")
    a1, b1 = core.start(0, 10)
    core.finish(a1, Failed("500"), 0)
    core.finish(b1, DONE, 0)

    assert core.start(500, 10) == []
    first, second = core.flush(0.5).outputs
    assert (first.value, second.value) == (b"a1", b"a2")
    assert (second.topic, dict(second.headers)[ATTEMPT]) == ("retry.1", b"1"), "waiting behind is no attempt"
    assert core.parked == 2
    again(core, first, 0)
    again(core, second, 1)
    (a1,) = core.start(9000, 10)
    assert a1.message == b"a1"
    core.finish(a1, DONE, 9000)

    assert values(core.start(9000, 10)) == [b"a2"]


def test_who_waits_behind_somebody_waits_as_long_as_he() -> None:
    core, now = calls(), 0
    ask(core, "a1")
    for due in (2000, 6000):
        (waiting,) = answer(core, Failed("500"), now).outputs
        again(core, waiting)
        now = due
    (waiting,) = answer(core, Failed("500"), now).outputs  # until 11,000

    ask(core, "a2", first=1)
    assert core.start(now + 1500, 10) == []
    (behind,) = core.flush(0).outputs

    assert (waiting.topic, behind.topic) == ("retry.3", "retry.2"), (
        "3.5 s are left: 4 s is the first tier that waits so long"
    )


def test_a_copy_of_a_waiting_record_is_not_called() -> None:
    core = calls()
    ask(core, "a")
    (waiting,) = answer(core, Failed("500")).outputs
    again(core, waiting, 0)
    again(core, waiting, 1)  # as after a kill between writing it and remembering that
    (later,) = answer(core, Failed("500"), 2000).outputs
    assert dict(later.headers)[ATTEMPT] == b"3"

    assert core.start(2000, 10) == []

    assert (core.flush(2).reached or {})["retry.1"] == 1


def test_a_record_that_was_published_again_upstream_is_called_once() -> None:
    core = calls()
    ask(core, "a")
    assert values(core.start(0, 10)) == [b"a"]

    core.fold(Chunk("asked", 7, [Consumed(1, b"a", b"a", ((SOURCE_POSITION, b"3:0"),))]))

    assert core.start(0, 10) == []


def test_what_waits_is_remembered_after_a_kill_and_forgotten_when_it_is_done() -> None:
    core = calls()
    ask(core, "a1")
    flush = answer(core, Failed("500"))
    (waiting,), stored = flush.outputs, after(flush)

    core = calls(stored)
    ask(core, "a2", first=1)
    assert core.start(0, 10) == [], "a1 waits"
    stored = after(core.flush(0), stored)
    again(core, waiting)
    flush = answer(core, DONE, 2000)

    assert after(flush, stored).keys() == {b"", b"+3:1|a"}, "a2 waits still"
    assert core.parked == 1


def test_each_that_waits_is_stored_once_however_many_wait_before_it() -> None:
    def changelog(waiting: int) -> int:
        core, written = calls(), 0
        ask(core, "a")
        flush = answer(core, Failed("500"))
        for number in range(1, waiting):
            written += sum(len(change.key) + len(change.value or b"") for change in flush.seal)
            ask(core, "a", first=number)
            assert core.start(0, 10) == []
            flush = core.flush(0)
        assert core.parked == waiting
        return written

    assert changelog(1000) < 2.2 * changelog(500)


def test_who_comes_behind_as_many_as_may_wait_is_a_dead_letter_and_those_who_wait_go_on() -> None:
    core = calls(most=3)
    ask(core, "a0", "a1", "a2", "a3", "b1")
    a0, b1 = core.start(0, 10)
    core.finish(a0, Failed("500"), 0)
    core.finish(b1, Failed("500"), 0)
    assert core.start(0, 10) == []
    flush = core.flush(0)

    (letter,) = (output for output in flush.outputs if output.topic == DEAD_LETTERS.name)
    headers = dict(letter.headers)
    assert (letter.value, headers[DEAD_REASON], headers[DEAD_SOURCE]) == (b"a3", TOO_MANY.encode(), b"asked:7:3")
    assert (flush.reached or {})["asked"] == 4, "it is settled"
    tiers_return(core, flush, dict.fromkeys(TIERS.topics, 0))
    for expected in (b"a0", b"a1", b"a2"):
        job = next(job for job in core.start(9000, 10) if job.key == "a")
        assert job.message == expected
        core.finish(job, DONE, 9000)


def test_who_would_be_too_large_in_a_tier_is_a_dead_letter_and_what_is_behind_it_goes_on() -> None:
    core = calls()
    ask(core, "a" * (LARGEST - 600), "a1", "b0", "b" * (LARGEST - 100), "b1")
    for job in core.start(0, 10):
        core.finish(job, Failed("5" * LONGEST_REASON), 0)
    assert core.start(0, 10) == []
    flush = core.flush(0)
    assert dead(flush) == {b"asked:7:3": TOO_LARGE.encode()}, "it cannot wait behind b0"
    stored = after(flush)
    assert stored.keys() == {b"", b"+3:0|a", b"+3:1|a", b"+3:2|b", b"+3:4|b"}

    tiers_return(core, flush, dict.fromkeys(TIERS.topics, 0))
    large, b0 = core.start(9000, 10)
    core.finish(large, Failed("5" * LONGEST_REASON), 9000)
    core.finish(b0, DONE, 9000)
    flush = core.flush(9)

    assert dead(flush) == {b"asked:7:0": TOO_LARGE.encode()}, "with the story of two attempts"
    assert values(core.start(9000, 10)) == [b"a1", b"b1"]
    assert after(flush, stored).keys() == {b"", b"+3:1|a", b"+3:4|b"}


def test_state_of_version_1_is_split_and_what_was_split_stays() -> None:
    old = {
        b"": b"{}",
        b"=a": orjson.dumps({"parked": [[3, 0, 2, 2000, 0], [3, 1, 1, 2000, 1]], "called": None}),
        b"=b": orjson.dumps({"parked": [], "called": 7}),
    }
    new = {b"": b"{}", b"+3:0|a": b"[2,2000,0]", b"+3:1|a": b"[1,2000,1]", b"=b": b'{"called":7}'}

    assert split(old) == new
    assert split(new) == new
    core = calls(new, once=True)
    assert core.parked == 2
    ask(core, "a1", "b1", first=2)
    assert core.start(0, 10) == []


def test_what_cannot_be_read_is_a_dead_letter() -> None:
    core = calls()

    assert core.fold(Chunk("asked", 7, [Consumed(0, None)])) == 1
    assert core.fold(Chunk("retry.1", 7, [Consumed(0, b"a")])) == 1, "without the story of its attempts"

    flush = core.flush(0)
    assert [dict(dead.headers)[DEAD_SOURCE] for dead in flush.outputs] == [b"asked:7:0", b"retry.1:7:0"]
    assert flush.reached == {"asked": 0, "retry.1": 0, "retry.2": -1, "retry.3": -1}


@pytest.mark.parametrize("history", [b"[[1,%b%b]]" % (b"[" * 990, b"]" * 990), b"[[1,{}]]", b"[1]", b"{"])
def test_a_story_that_is_none_of_ours_is_a_dead_letter_however_deep(history: bytes) -> None:
    core = calls()
    headers = ((SOURCE_POSITION, b"3:0"), (ORIGIN, b"0"), (ATTEMPT, b"2"), (DUE, b"5"), (HISTORY, history))

    assert core.fold(Chunk("retry.1", 7, [Consumed(0, b"a", b"a", headers)])) == 1


@pytest.mark.parametrize(
    ("header", "written"),
    [
        (HISTORY, b'[[1e300,"500"]]'),
        (HISTORY, b'[[-1,"500"]]'),
        (ORIGIN, b"9" * 30),
        (ORIGIN, b"-1"),
        (DUE, b"9" * 400),
        (ATTEMPT, b"0"),
        (ATTEMPT, b"9223372036854775808"),
    ],
)
def test_a_story_whose_numbers_nobody_could_store_is_a_dead_letter(header: str, written: bytes) -> None:
    core = calls()
    ask(core, "a")
    (waiting,) = answer(core, Failed("500")).outputs
    headers = tuple((name, written if name == header else value) for name, value in waiting.headers)

    assert core.fold(Chunk("retry.1", 7, [Consumed(0, b"a", b"a", headers)])) == 1


@pytest.mark.parametrize("early", [False, True])
def test_a_copy_that_claims_to_be_of_another_record_settles_nothing_of_that_one(early: bool) -> None:
    core = calls()
    source = (SOURCE_POSITION, b"3:0")
    story = ((ORIGIN, b"2"), (HISTORY, b"[]"), (ATTEMPT, b"2"), (DUE, b"2000"))
    forged = Chunk("retry.1", 7, [Consumed(0, b"a", b"a", (source, *story))])
    if early:  # before its record waits
        core.fold(forged)
    ask(core, "a")
    stored = after(answer(core, Failed("500")))
    if not early:
        core.fold(forged)
    stored = after(answer(core, Failed("500"), 2000), stored)

    core = calls(stored)
    ask(core, "b", "c", first=1)

    assert values(core.start(3000, 10)) == [b"b", b"c"]


def test_a_call_that_was_not_made_is_made_again_before_what_follows_it() -> None:
    core = calls()
    ask(core, "a1", "a2")
    (job,) = core.start(0, 10)

    core.release(job)

    assert values(core.start(0, 10)) == [b"a1"]


def test_once_calls_for_the_first_record_of_a_key_until_that_is_forgotten() -> None:
    core = calls(once=True)
    ask(core, "a1", "a2")
    flush = answer(core, DONE, 0)
    assert core.start(0, 10) == []

    core = calls(after(flush), once=True)
    ask(core, "a3", first=2)
    assert core.start(9_999, 10) == []
    core.flush(10)
    ask(core, "a4", first=3)

    assert values(core.start(10_000, 10)) == [b"a4"]


def test_a_flush_forgets_some_of_what_was_remembered_and_in_the_end_all_is_called_again() -> None:
    keys = [f"{n:05}" for n in range(2 * FORGOTTEN + 1)]
    core = Calls(
        7,
        {b"=" + key.encode(): orjson.dumps({"called": 0}) for key in keys},
        stage="test",
        topic="asked",
        tiers=TIERS,
        read=lambda value: (value.decode(), value),
        once=True,
        remember=10_000,
    )

    assert [len(core.flush(10).seal[:-1]) for _ in range(3)] == [FORGOTTEN, FORGOTTEN, 1]
    assert not core.flush(10)
    ask(core, *keys)

    assert len(core.start(10_000, len(keys))) == len(keys)


def test_once_drops_what_waited_behind_the_first() -> None:
    core = calls(once=True)
    ask(core, "a1", "a2")
    (job,) = core.start(0, 10)
    core.finish(job, Failed("500"), 0)
    core.start(0, 10)
    a1, a2 = core.flush(0).outputs
    again(core, a1, 0)
    again(core, a2, 1)
    (job,) = core.start(9000, 10)
    core.finish(job, DONE, 9000)

    assert core.start(9000, 10) == []
    assert core.parked == 0


def test_the_next_due_time_is_that_of_the_record_that_waits_shortest() -> None:
    core = calls()
    assert core.next_due is None
    ask(core, "a", "b")
    a, b = core.start(0, 10)
    core.finish(a, Failed("500"), 700)
    core.finish(b, Failed("500"), 0)
    for offset, waiting in enumerate(core.flush(0).outputs):
        again(core, waiting, offset)

    assert core.next_due == 2000


def tiers_return(core: Calls[bytes], flush: Flush, offsets: dict[str, int]) -> list[Outgoing]:
    """Let what went to the tiers come out of them."""
    waiting = [output for output in flush.outputs if output.topic in TIERS.topics]
    for record in waiting:
        again(core, record, offsets[record.topic])
        offsets[record.topic] += 1
    return waiting


def parked() -> tuple[Outgoing, dict[bytes, bytes]]:
    """Return a record that waits in the first tier, and what is stored of it."""
    core = calls()
    ask(core, "a1")
    flush = answer(core, Failed("500"))
    return flush.outputs[0], after(flush)


def test_a_record_that_is_in_no_tier_any_more_holds_up_its_key_until_every_tier_has_shown_it() -> None:
    # As when retention deleted it, or a suspended worker's late write brought back what was stored of it.
    _, stored = parked()
    core, now, seen, offsets = calls(stored), 5000, [], dict.fromkeys(TIERS.topics, 1)
    ask(core, "a2", first=1)
    while not (jobs := core.start(now, 10)):
        flush = core.flush(now / 1000)
        stored = after(flush, stored)
        seen += [output.topic for output in tiers_return(core, flush, offsets)]
        now += 1000

    assert values(jobs) == [b"a2"]
    assert list(dict.fromkeys(seen)) == ["retry.1", "retry.2", "retry.3"]
    assert SLOW < now - 5000 <= SLOW + 15_000
    assert core.lost == 1
    core.finish(jobs[0], DONE, now)
    assert after(core.flush(now / 1000), stored).keys() == {b""}


def test_a_record_whose_tier_has_a_backlog_is_waited_for_however_long_that_takes() -> None:
    waiting, stored = parked()
    core, offsets = calls(stored), dict.fromkeys(TIERS.topics, 1)
    ask(core, "a2", first=1)
    for now in range(5000, 5000 + 86_400_000, 60_000):
        assert core.start(now, 10) == []
        flush = core.flush(now / 1000)
        flush.outputs = [output for output in flush.outputs if output.topic != waiting.topic]
        tiers_return(core, flush, offsets)
    again(core, waiting)

    assert values(core.start(now, 10)) == [b"a1"]
    assert core.lost == 0


def test_who_waits_behind_a_record_that_comes_in_time_is_in_the_tier_that_lasts_as_long() -> None:
    _, stored = parked()
    core, offsets = calls(stored), dict.fromkeys(TIERS.topics, 1)
    ask(core, "a2", first=1)
    for now in range(0, SLOW, 2000):
        core.start(now, 10)
        assert {each.topic for each in tiers_return(core, core.flush(now / 1000), offsets)} <= {"retry.1"}


def test_a_record_whose_due_time_is_of_a_clock_that_was_ahead_rests_as_long_as_the_slowest_tier_at_most() -> None:
    core = calls()
    ask(core, "a", "b", "c")
    day, offsets = 86_400_000, dict.fromkeys(TIERS.topics, 0)
    for job, ahead in zip(core.start(0, 10), (day, 2 * day, 0), strict=True):
        core.finish(job, Failed("500"), ahead)
    tiers_return(core, core.flush(0), offsets)
    assert core.start(1000, 10) == []

    assert core.next_due == 2000
    assert values(core.start(2000, 10)) == [b"c"]
    assert core.start(5999, 10) == []
    assert values(core.start(6000, 10)) == [b"a", b"b"]


def test_what_an_earlier_life_wrote_to_the_tiers_says_nothing_about_what_lies_behind_it() -> None:
    waiting, stored = parked()
    earlier, offsets = calls(), dict.fromkeys(TIERS.topics, 0)
    ask(earlier, "b1", first=5)
    records = [
        record
        for now in (0, 2000, 6000)
        for record in tiers_return(earlier, answer(earlier, Failed("500"), now), offsets)
    ]
    assert [record.topic for record in records] == list(TIERS.topics)

    core = calls(stored)
    for record in records:
        again(core, record)
    ask(core, "a2", first=1)
    assert core.start(20_000, 10) == []
    again(core, waiting, 1)

    assert values(core.start(20_000, 10)) == [b"a1"]
    assert core.lost == 0


def test_a_copy_that_an_earlier_life_wrote_of_the_same_record_says_nothing_either() -> None:
    waiting, stored = parked()
    core = calls(stored)
    ask(core, "a2", first=1)
    core.start(0, 10)
    now, mine = SLOW + 1, core.flush(0).outputs
    for topic in TIERS.topics:
        copy = mine[0]
        assert copy.topic == topic
        headers = tuple((name, b"7" if name == DUE else value) for name, value in copy.headers)
        again(core, Outgoing(topic, copy.key, copy.value, headers, 7), 0)
        core.start(now, 10)
        mine = core.flush(0).outputs
    again(core, waiting, 1)

    assert values(core.start(now, 10)) == [b"a1"]
    assert core.lost == 0


def test_records_without_a_source_position_are_dead_letters_and_never_calls_under_one_key() -> None:
    core = calls()

    assert core.fold(Chunk("asked", 7, [Consumed(17, b"a1", b"a", ()), Consumed(18, b"b1", b"b", ())])) == 2

    assert core.start(0, 10) == []
    flush = core.flush(0)
    assert [dict(letter.headers)[DEAD_REASON] for letter in flush.outputs] == [NO_POSITION.encode()] * 2
    assert flush.reached is not None
    assert flush.reached["asked"] == 18, "they are settled"


def test_garbage_with_a_far_position_takes_nobodys_place() -> None:
    core = calls()

    assert core.fold(Chunk("asked", 7, [Consumed(0, b"", b"k", ((SOURCE_POSITION, b"3:999999999999999"),))])) == 1
    ask(core, "a1", "b2", "c3", first=1)

    assert values(core.start(0, 10)) == [b"a1", b"b2", b"c3"]
    stored = after(core.flush(0))
    ask(core := calls(stored), "a1", "b2", "c3", first=1)
    assert len(core.start(0, 10)) == 3, "nor in the next life"


def test_replays_are_told() -> None:
    core = calls()
    ask(core, "a1", "a2")
    core.fold(Chunk("asked", 7, [Consumed(2, b"a1", b"a", ((SOURCE_POSITION, b"3:0"),))]))

    assert core.flush(0).replays == {"asked": 1}


def test_where_records_begin_each_stands_for_itself_in_the_tiers_and_after_a_kill_too() -> None:
    def original(stored: dict[bytes, bytes] | None = None) -> Calls[bytes]:
        return Calls(7, stored or {}, stage="test", topic="asked", tiers=TIERS, read=read, original=True)

    asked = Chunk("asked", 7, [Consumed(40, b"a1", b"a"), Consumed(41, b"b1", b"b")])
    core = original()
    assert core.fold(asked) == 0
    first, second = core.start(0, 10)
    core.finish(first, Failed("away"), 0)
    core.finish(second, DONE, 0)
    flush = core.flush(0.0)
    (waiting,) = flush.outputs
    assert [job.idempotency_key for job in (first, second)] == ["7-40", "7-41"]

    core = original(after(flush))
    assert core.fold(asked) == 0
    assert core.start(0, 10) == [], "one was answered, the other waits in its tier"
    again(core, waiting)
    (job,) = core.start(10_000, 10)

    assert (job.idempotency_key, job.attempt, job.message) == ("7-40", 2, b"a1")
