"""Moments at which a kill once cost something, each drawn small. `test_window_law` looks for all the others."""

from dataclasses import replace

import orjson
import pytest

from schemas.dead_letters import DEAD_REASON
from streams.core.keyed_rows import META, TIME, TOO_LATE, UNSEALED
from streams.core.windows.watermark import RawProgress
from streams.stages.percentiles.window import HOUR
from tests.streams.stages.percentiles.interactions import MINUTE, POLICY, TEN, Partition, dead, rows


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_rows_whose_publishing_is_in_doubt_are_published_again_as_they_were(partition: Partition) -> None:
    record = partition.record(1)
    partition.fold(record)
    killed = partition.flush()
    partition.store(killed.state)

    partition.restart()
    partition.fold(record)

    again = partition.flush()
    assert again.outputs == killed.outputs
    assert again.state == [], "what is folded in already changes nothing"


def test_a_flush_that_a_kill_cut_off_in_the_changelog_is_done_again_for_the_rest(partition: Partition) -> None:
    records = [partition.record(1, campaign="a"), partition.record(1, campaign="b")]
    partition.fold(*records)
    partition.store(partition.flush().state[:1])

    partition.restart()
    partition.fold(*records)

    assert {(row.campaign_id, row.count, row.revision) for row in partition.write()} == {("a", 1, 1), ("b", 1, 1)}


def test_an_hour_that_ended_without_news_is_published_as_final_after_a_kill(partition: Partition) -> None:
    # It changed by ending alone: no source position says that its row may not have been published.
    partition.fold(partition.record(1), partition.record(2, raw=1), partition.record(70))
    partition.write()
    partition.silent(1, 70)
    partition.store(partition.flush().state)

    partition.restart()

    assert [(row.count, row.final) for row in partition.write() if row.hour_start == TEN] == [(2, True)]


def test_an_hour_that_holds_what_comes_again_is_kept_until_it_came(partition: Partition) -> None:
    # The interaction 3 was folded in and stored, not acknowledged. It comes again after 2: refused then, it would be
    # counted and a dead letter.
    records = [partition.record(1, campaign="a"), partition.record(240, campaign="a"), partition.record(3, raw=1)]
    partition.fold(*records)
    killed = partition.flush()
    partition.store([change for change in killed.state if change.key.startswith(b'["sales"')])

    partition.restart()
    partition.fold(*records[:2])
    partition.write()

    assert partition.fold(records[2]) == 0
    assert dead(partition.flush()) == []


def test_what_was_refused_as_too_late_is_refused_again_after_a_kill(partition: Partition) -> None:
    partition.fold(partition.record(230))
    late = partition.record(59)
    assert partition.fold(late) == 1
    assert len(dead(partition.flush())) == 1

    partition.restart()

    assert partition.fold(late) == 1


def test_the_watermark_is_restored(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(70))
    partition.write()
    more = partition.record(71, campaign="other")
    partition.raw.told = RawProgress()

    partition.restart()
    partition.fold(more)
    partition.write()

    assert partition.watermark == TEN + 70 * MINUTE


def test_event_time_that_moves_alone_is_stored_without_the_positions(partition: Partition) -> None:
    partition.fold(partition.record(1))
    partition.write()
    partition.silent(0, 40)  # nothing ends by it

    moved = partition.flush().seal
    partition.store(moved)

    assert [change.key for change in moved] == [TIME]
    partition.raw.told = RawProgress()
    partition.restart()
    assert (partition.watermark, partition.hours.taken.positions) == (TEN + 40 * MINUTE, {0: 0})
    partition.fold(partition.record(2))
    folded = partition.flush()
    partition.store(folded.state + folded.seal)
    assert folded.seal[0].key == META, "and with them again"
    assert partition.watermark == TEN + 40 * MINUTE


def test_positions_of_before_they_were_packed_are_read(partition: Partition) -> None:
    record = partition.record(1)
    partition.fold(record)
    partition.write()
    for key in (key for key in partition.changelog if key[:1] in {META, UNSEALED}):
        of_before = orjson.loads(partition.changelog[key]) | {"positions": [[0, 0]]}
        partition.changelog[key] = orjson.dumps(of_before)

    partition.restart()
    partition.fold(record)

    assert partition.hours.taken.positions == {0: 0}
    assert partition.write() == []


def test_progress_waits_until_what_it_speaks_of_is_folded(partition: Partition) -> None:
    first, second = partition.record(1), partition.record(70)
    partition.fold(first)
    partition.write()
    assert partition.watermark == 0

    partition.restart()
    partition.write()
    assert partition.watermark == 0
    partition.fold(second)
    partition.write()

    assert partition.watermark == TEN + 70 * MINUTE


def test_an_hour_that_was_forgotten_is_not_begun_anew_when_it_is_kept_for_longer_again() -> None:
    # Its row would go over the one that counts what was forgotten.
    partition = Partition()
    partition.fold(*(partition.record(1) for _ in range(5)))
    assert [(row.count, row.revision) for row in partition.write()] == [(5, 1)]
    partition.fold(partition.record(60 * 4))
    partition.write()
    partition.write()

    partition.policy = replace(POLICY, retention=8 * HOUR)
    partition.restart()

    assert partition.fold(partition.record(2)) == 1
    assert [dict(letter.headers)[DEAD_REASON] for letter in dead(partition.flush())] == [TOO_LATE.encode()]


@pytest.mark.parametrize("kill", [False, True])
def test_a_final_hour_rests_and_counts_what_comes_late(partition: Partition, *, kill: bool) -> None:
    partition.fold(partition.record(1, handle=10.0), partition.record(70))
    partition.write()
    for late in (2, 3):
        if kill:
            partition.restart()
        partition.fold(partition.record(late, handle=10.0 * late))
        (row,) = partition.write()
        assert (row.count, row.handle.max, row.final) == (late, 10.0 * late, True)


def test_a_final_hour_that_a_kill_cut_off_is_not_counted_twice(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(70))
    partition.write()
    late = partition.record(2)
    partition.fold(late)
    partition.store(partition.flush().state)  # and no seal

    partition.restart()
    (row,) = partition.write()
    assert (row.count, row.final) == (2, True), "published again"
    partition.fold(late, partition.record(3))
    (row,) = partition.write()
    assert (row.count, row.final) == (3, True)


def test_an_hour_that_ends_while_it_holds_what_comes_again_still_holds_it_after_another_kill(
    partition: Partition,
) -> None:
    records = [partition.record(1), partition.record(2, raw=1)]
    partition.raw.told = RawProgress()
    partition.restart()
    partition.fold(*records)
    partition.store(partition.flush().state)  # and no seal

    partition.restart()
    for raw in (0, 1):
        partition.raw.tell(raw, -1, TEN + 200 * MINUTE)
    ended = partition.flush()
    assert [(row.count, row.final) for row in rows(ended)] == [(2, True)]
    partition.store(ended.state)

    partition.restart()
    partition.fold(*records)
    assert [(row.count, row.final) for row in partition.write()] == [(2, True)]
    partition.restart()
    partition.fold(*records)
    assert partition.write() == []
