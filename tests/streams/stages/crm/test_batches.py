"""When a batch is due, what it says, and what is acknowledged."""

import pytest

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import Consumed
from schemas.topics import DEAD_LETTERS, GUEST_ADMITTED
from streams.core.taken import NO_POSITION
from streams.stages.crm.batches import META, OUT_OF_RANGE, REFUSED, UNDECODABLE, Batch, Batches, Message, Policy
from tests.streams.stages.crm.messages import NINE, chunk, decode, message, record

NOW = NINE / 1000
TOPIC = GUEST_ADMITTED.name


def batches(stored: dict[bytes, bytes] | None = None, *, size: int = 5, wait: float = 30.0) -> Batches:
    return Batches(3, stored or {}, policy=Policy(size=size, wait=wait), decode=decode)


def ids(batch: Batch | None) -> list[str | None]:
    return [] if batch is None else [row["external_id"] for row in batch.rows]


def test_a_row_is_what_the_crm_asks_for() -> None:
    core = batches(size=1)
    core.fold(chunk(record(0, message("hi", conversation="c", received_at=NINE + 7))))

    batch = core.flush(NOW, seal=True).batch

    assert batch is not None
    assert batch.rows == [
        {"external_id": "c", "fingerprint": "f-1", "last_message": "hi", "queued_at": "2026-11-21T09:00:00.007Z"}
    ]


def test_five_messages_are_due_at_once_and_four_are_not() -> None:
    core = batches()
    core.fold(chunk(*(record(i) for i in range(4))))
    assert core.flush(NOW, seal=True).batch is None

    core.fold(chunk(record(4), record(5)))

    assert ids(core.flush(NOW, seal=True).batch) == ["c-0", "c-1", "c-2", "c-3", "c-4"]


def test_fewer_are_due_when_the_first_has_waited_long_enough() -> None:
    core = batches()
    core.fold(chunk(record(0), record(1, at=NINE + 20_000)))
    assert core.flush(NOW + 29.9, seal=True).batch is None

    assert ids(core.flush(NOW + 30, seal=True).batch) == ["c-0", "c-1"]


def test_a_log_whose_clock_is_ahead_makes_nobody_wait_longer() -> None:
    core = batches()
    core.fold(chunk(record(0, at=NINE + 3_600_000)))
    assert core.flush(NOW, seal=True).batch is None

    assert ids(core.flush(NOW + 30, seal=True).batch) == ["c-0"]


def test_what_waited_in_the_topic_is_due_when_it_is_read() -> None:
    core = batches()
    core.fold(chunk(record(0)))

    assert ids(core.flush(NOW + 3600, seal=True).batch) == ["c-0"]


def test_a_batch_waits_for_the_answer_to_the_one_before() -> None:
    core = batches(size=1)
    core.fold(chunk(record(0), record(1)))
    first = core.flush(NOW, seal=True).batch
    assert first is not None
    assert not core.flush(NOW, seal=True)

    core.answered(first, [])

    assert ids(core.flush(NOW, seal=True).batch) == ["c-1"]


def test_the_cut_is_stored_before_the_call_and_gone_after_the_answer() -> None:
    core = batches(size=2)
    core.fold(chunk(record(7), record(9)))

    called = core.flush(NOW, seal=True)
    assert called.batch is not None
    assert [(change.key, change.value) for change in called.seal] == [(META, b'{"positions":[],"cut":[[0,7],[0,9]]}')]
    core.answered(called.batch, [])

    settled = core.flush(NOW, seal=True)
    assert [change.value for change in settled.seal] == [b'{"positions":[[0,9]],"cut":[]}']


def test_what_waits_is_not_acknowledged_and_what_is_settled_is() -> None:
    core = batches(size=2)
    core.fold(chunk(record(4), record(5), record(6)))

    called = core.flush(NOW, seal=True)
    assert called.reached == {TOPIC: 3}
    assert called.batch is not None
    core.answered(called.batch, [])

    assert core.flush(NOW, seal=True).reached == {TOPIC: 5}


def test_replays_are_skipped_and_acknowledged() -> None:
    core = batches({META: b'{"positions":[[0,9]],"cut":[]}'})

    core.fold(chunk(record(20, source=(0, 8)), record(21, source=(0, 9))))

    flush = core.flush(NOW + 3600, seal=True)
    assert not flush
    assert flush.reached is None, "all that is folded may be acknowledged"


def test_records_without_a_position_are_dead_letters() -> None:
    core = batches(size=2)

    assert core.fold(chunk(Consumed(0, record(0).value), Consumed(1, record(0).value))) == 2

    flush = core.flush(NOW, seal=True)
    assert flush.batch is None
    assert [dict(letter.headers)[DEAD_REASON] for letter in flush.outputs] == [NO_POSITION.encode()] * 2


def test_after_a_kill_the_batch_is_what_it_was_whatever_the_settings_say_now() -> None:
    first = batches(size=3)
    first.fold(chunk(*(record(i) for i in range(3))))
    killed = first.flush(NOW, seal=True)
    assert killed.batch is not None
    stored = {change.key: change.value or b"" for change in killed.seal}

    second = batches(stored, size=1, wait=0.0)
    second.fold(chunk(record(0), record(1)))
    assert second.flush(NOW + 3600, seal=True).batch is None, "the third comes again, too"
    second.fold(chunk(record(2), record(3)))

    again = second.flush(NOW + 3600, seal=True).batch
    assert again is not None
    assert (again.key, again.rows) == (killed.batch.key, killed.batch.rows)


def test_a_cut_of_which_retention_took_a_part_is_void() -> None:
    stored = {META: b'{"positions":[],"cut":[[0,0],[0,1]]}'}
    core = batches(stored, size=2)

    core.fold(chunk(record(1), record(2)))

    assert ids(core.flush(NOW, seal=True).batch) == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, UNDECODABLE),
        (b"{}", UNDECODABLE),
        (message(received_at=-1), OUT_OF_RANGE),
        (message(received_at=2**60), OUT_OF_RANGE),
    ],
)
def test_what_can_be_told_to_nobody_is_a_dead_letter_as_it_came(value: bytes | None, reason: str) -> None:
    core = batches(size=1)
    bad = record(7, value)

    assert core.fold(chunk(bad, record(8))) == 1

    flush = core.flush(NOW, seal=True)
    (letter,) = flush.outputs
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == (DEAD_LETTERS.name, b"key", bad.value)
    assert headers[DEAD_REASON] == reason.encode()
    assert headers[DEAD_STAGE] == b"crm"
    assert headers[DEAD_SOURCE] == f"{TOPIC}:3:7".encode()
    assert ids(flush.batch) == ["c-8"]
    assert flush.reached == {TOPIC: 7}


def test_a_bad_record_between_others_becomes_a_dead_letter_with_them() -> None:
    core = batches(size=2)
    core.fold(chunk(record(0), record(1, b"{}"), record(2)))

    called = core.flush(NOW, seal=True)
    assert ids(called.batch) == ["c-0", "c-2"]
    assert called.outputs == []
    assert called.batch is not None
    core.answered(called.batch, [])

    assert len(core.flush(NOW, seal=True).outputs) == 1


def batch_of(*sources: tuple[int, int], partition: int = 3) -> Batch:
    return Batch(
        partition, tuple(Message(record(9, source=source), source, {"external_id": "c"}) for source in sources)
    )


def test_a_key_is_that_of_its_messages() -> None:
    keys = {
        batch.key
        for batch in (
            batch_of((0, 1)),
            batch_of((0, 1), (0, 2)),
            batch_of((0, 12)),
            batch_of((1, 1)),
            batch_of((0, 1), partition=4),
        )
    }

    assert len(keys) == 5
    assert batch_of((0, 1)).key in keys
    assert all(len(key) == 32 for key in keys)


def test_halves_are_batches_of_their_own_in_order() -> None:
    first, second = batch_of((0, 1), (0, 2), (0, 3)).halves()

    assert [[each.source for each in half.messages] for half in (first, second)] == [[(0, 1)], [(0, 2), (0, 3)]]


def test_a_refused_message_is_a_dead_letter_with_the_crms_words() -> None:
    (letter,) = batch_of((0, 1)).refused("422 no such conversation")

    headers = dict(letter.headers)
    assert headers[DEAD_REASON] == REFUSED.encode()
    assert headers[DEAD_DETAIL] == b"422 no such conversation"
    assert headers[DEAD_SOURCE] == f"{TOPIC}:3:9".encode()


def test_what_can_be_told_to_nobody_takes_nobodys_place() -> None:
    core = batches(size=1)

    core.fold(chunk(record(7, b"{}", source=(0, 10**17)), record(8)))

    assert ids(core.flush(NOW, seal=True).batch) == ["c-8"]
