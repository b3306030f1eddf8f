"""Hours in pictures. A column is ten minutes; digits are interactions in the order of the topic, `W` the watermark."""

import gc
import math
from dataclasses import replace

import pytest

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE
from schemas.envelope import LOG_TIME, SOURCE_POSITION, Consumed
from schemas.records import LONGEST_CAMPAIGN
from schemas.topics import CAMPAIGN_HOURLY
from streams.core import keyed_rows
from streams.core.keyed_rows import QUIET, TOO_LATE, UNDECODABLE
from streams.core.taken import NO_POSITION
from streams.core.times import LONGEST_DURATION, iso
from streams.stages.percentiles.hours import OUT_OF_RANGE
from streams.stages.percentiles.window import HOUR, Window
from tests.streams.stages.percentiles.interactions import MINUTE, POLICY, TEN, Partition, dead, rows
from tests.support.raw_partitions import RawPartitions


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_an_interaction_belongs_to_the_hour_that_it_was_completed_in(partition: Partition) -> None:
    #  10:00       11:00
    #  1      2   3|4
    #  [sales  3  )[sales 1
    partition.fold(*map(partition.record, (0, 30, 59.999, 60)))

    first, second = partition.write()

    assert (first.hour_start, first.count) == (TEN, 3)
    assert (second.hour_start, second.count) == (TEN + HOUR, 1)


def test_campaigns_have_hours_of_their_own(partition: Partition) -> None:
    partition.fold(partition.record(1, campaign="a"), partition.record(1, campaign="b"))

    assert {(row.campaign_id, row.count) for row in partition.write()} == {("a", 1), ("b", 1)}


def test_a_row_is_keyed_by_campaign_and_hour(partition: Partition) -> None:
    partition.fold(partition.record(1, campaign="a|b"))

    (output,) = partition.flush().outputs

    assert output.topic == CAMPAIGN_HOURLY.name
    assert output.key == f"a|b|{iso(TEN)}".encode()
    assert output.partition is None


def test_a_campaign_id_with_bars_is_restored_as_it_was(partition: Partition) -> None:
    partition.fold(partition.record(1, campaign="|a||b|é"))
    partition.write()

    partition.restart()
    partition.fold(partition.record(2, campaign="|a||b|é"))

    (row,) = partition.write()
    assert (row.campaign_id, row.count) == ("|a||b|é", 2)


def test_the_garbage_collector_passes_over_hours() -> None:
    window = Window()

    assert not any(map(gc.is_tracked, (window, window.handle, window.wait)))


def test_an_hour_is_published_once_each_time_it_changed(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(2))
    (first,) = partition.write()
    assert partition.write() == []
    partition.fold(partition.record(3))
    (second,) = partition.write()

    assert (first.revision, first.count, first.final) == (1, 2, False)
    assert (second.revision, second.count, second.final) == (2, 3, False)


def test_an_hour_is_final_when_the_watermark_passes_its_end_and_the_allowed_lateness(partition: Partition) -> None:
    #  10:00       11:00 11:05
    #  1           |   2 3
    #  [sales      )    W final
    partition.fold(partition.record(1))
    partition.write()

    partition.fold(partition.record(64.99, campaign="other"))
    assert [row.campaign_id for row in partition.write()] == ["other"]
    partition.fold(partition.record(65, campaign="other"))
    closed = {row.campaign_id: row for row in partition.write()}["sales"]

    assert (closed.final, closed.revision, closed.count) == (True, 2, 1)


def test_a_final_hour_is_published_as_final_once(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(70, campaign="other"))
    assert [row.final for row in partition.write()].count(True) == 1

    partition.fold(partition.record(71, campaign="other"))

    assert [row.campaign_id for row in partition.write()] == ["other"]


def test_a_late_interaction_raises_the_revision_of_a_final_hour(partition: Partition) -> None:
    #  10:00       11:00   11:10
    #  1  3        |       2
    #  [sales      )       W        3 comes last: 10 is final and changes once more
    partition.fold(partition.record(1), partition.record(70, campaign="other"))
    (final,) = (row for row in partition.write() if row.campaign_id == "sales")

    partition.fold(partition.record(20))
    (late,) = partition.write()

    assert (final.revision, final.count, final.final) == (1, 1, True)
    assert (late.revision, late.count, late.final) == (2, 2, True)


def test_what_comes_for_an_hour_that_is_no_longer_kept_is_a_dead_letter_as_it_came(partition: Partition) -> None:
    #  10:00  11:00  12:00  13:00
    #  2      |      |      1
    #  [     )              W       kept: 2 hours from its end
    partition.fold(partition.record(180))
    partition.write()
    late = partition.record(59.9)

    assert partition.fold(late) == 1

    flush = partition.flush()
    assert rows(flush) == []
    (letter,) = dead(flush)
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (late.key, late.value)
    assert letter.headers[: len(late.headers)] == late.headers
    assert headers[DEAD_REASON] == TOO_LATE.encode()
    assert headers[DEAD_STAGE] == b"percentiles"
    assert headers[DEAD_SOURCE] == b"cxone.interactions.completed:7:1"
    assert iso(TEN).encode() in headers[DEAD_DETAIL]


def test_a_record_that_names_two_log_times_speaks_for_no_other(partition: Partition) -> None:
    honest = partition.record(1)
    forged = partition.record(2)
    position, said = forged.headers
    honest_too = partition.record(1.5)  # event time does not go back: it has the same log time
    assert honest_too.headers[1] == said

    forged = replace(forged, headers=((LOG_TIME, b"%d" % (TEN + 1000 * HOUR)), position, said))

    assert partition.fold(honest, forged, honest_too) == 1, "the forged one"


def test_an_hour_is_kept_until_the_last_millisecond_of_its_retention(partition: Partition) -> None:
    partition.fold(partition.record(180 - 1 / MINUTE))
    partition.write()

    assert partition.fold(partition.record(59.9)) == 0


def test_hours_that_are_no_longer_kept_leave_the_changelog(partition: Partition) -> None:
    partition.fold(partition.record(1))
    partition.write()
    assert partition.stored == {("sales", TEN)}

    partition.fold(partition.record(200, campaign="other"))
    partition.write()

    assert partition.stored == {("other", TEN + 3 * HOUR)}


def test_the_watermark_is_the_time_that_every_raw_partition_has_passed(partition: Partition) -> None:
    #         10:00       11:00   11:10
    #  raw 0  1           |       2
    #  raw 1      3       |                 the watermark waits for raw 1
    partition.fold(partition.record(1), partition.record(20, raw=1), partition.record(70))
    partition.write()

    assert partition.watermark == TEN + 20 * MINUTE
    partition.fold(partition.record(66, raw=1))
    assert [row.final for row in partition.write() if row.hour_start == TEN] == [True]


def test_a_silent_raw_partition_is_not_waited_for(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(20, raw=1), partition.record(70))
    partition.write()

    partition.silent(1, 20.4)
    assert partition.write() == []
    partition.silent(1, 71)

    assert [row.final for row in partition.write()] == [True]
    assert partition.watermark == TEN + 70 * MINUTE


def test_the_watermark_does_not_go_back_when_a_silent_raw_partition_speaks_again(partition: Partition) -> None:
    partition.fold(partition.record(20, raw=1), partition.record(70))
    partition.silent(1, 71)
    partition.write()

    partition.fold(partition.record(21, raw=1))
    partition.write()

    assert partition.watermark == TEN + 70 * MINUTE


def test_hours_end_by_the_brokers_clock_when_nothing_comes_any_more(partition: Partition) -> None:
    partition.fold(partition.record(1))
    partition.write()

    partition.silent(0, 64.9)
    assert partition.write() == []
    partition.silent(0, 65)
    (closed,) = partition.write()

    assert closed.final


def test_the_clock_of_a_worker_decides_nothing(partition: Partition) -> None:
    partition.fold(partition.record(1))
    partition.write()

    assert partition.write(passed=7 * 86_400) == []
    assert partition.write(passed=-14 * 86_400) == []

    partition.fold(partition.record(2))
    (row,) = partition.write()
    assert (row.count, row.final) == (2, False)


def test_a_raw_partition_that_was_not_heard_of_for_a_week_makes_nothing_too_late() -> None:
    partition = Partition(raw=RawPartitions(number=2))
    week = range(0, 7 * 24 * 60, 30)
    assert partition.fold(*[partition.record(minute) for minute in week]) == 0
    partition.write()

    assert partition.fold(*[partition.record(minute, raw=1) for minute in week]) == 0

    counts = {row.hour_start: row.count for row in partition.write()}
    assert counts == {TEN + hour * HOUR: 4 for hour in range(7 * 24)}


def test_a_replayed_record_is_counted_once(partition: Partition) -> None:
    records = [partition.record(1), partition.record(2)]
    partition.fold(*records)
    partition.write()

    assert partition.fold(*records) == 0

    flush = partition.flush()
    assert not flush, "there is nothing to write for a replay"


def test_a_record_without_a_source_position_is_a_dead_letter(partition: Partition) -> None:
    assert partition.fold(replace(partition.record(1), headers=())) == 1

    flush = partition.flush()
    assert rows(flush) == []
    assert [dict(letter.headers)[DEAD_REASON] for letter in dead(flush)] == [NO_POSITION.encode()]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\0\0\0\0\x01", b"\0\xff\xff\xff\xff\0"])
def test_what_cannot_be_decoded_is_a_dead_letter(partition: Partition, value: bytes | None) -> None:
    assert partition.fold(Consumed(3, value, b"key", (("name", b"value"), (SOURCE_POSITION, b"0:3")))) == 1

    (letter,) = dead(partition.flush())

    assert (letter.key, letter.value) == (b"key", value)
    assert letter.headers[0] == ("name", b"value")
    assert dict(letter.headers)[DEAD_REASON] == UNDECODABLE.encode()


def test_what_cannot_be_decoded_takes_nobodys_place(partition: Partition) -> None:
    partition.fold(Consumed(3, b"{}", headers=((SOURCE_POSITION, b"0:999999999999999999"),)), partition.record(1))

    (row,) = rows(partition.flush())

    assert row.count == 1


@pytest.mark.parametrize("seconds", [-1.0, math.nextafter(LONGEST_DURATION, math.inf), 1e308, math.inf, math.nan])
def test_a_duration_out_of_bounds_is_a_dead_letter_and_is_not_counted(partition: Partition, seconds: float) -> None:
    assert partition.fold(partition.record(1, handle=seconds), partition.record(2, wait=seconds)) == 2

    flush = partition.flush()
    assert rows(flush) == []
    for letter in dead(flush):
        headers = dict(letter.headers)
        assert headers[DEAD_REASON] == OUT_OF_RANGE.encode()
        assert b"0 to 31622400 seconds" in headers[DEAD_DETAIL]


def test_a_campaign_that_makes_a_key_which_no_broker_takes_is_a_dead_letter(partition: Partition) -> None:
    longest, longer = "\x01" * LONGEST_CAMPAIGN, "\x01" * (LONGEST_CAMPAIGN + 1)

    assert partition.fold(partition.record(1, campaign=longest), partition.record(2, campaign=longer)) == 1

    flush = partition.flush()
    assert len(rows(flush)) == 1
    (letter,) = dead(flush)
    assert dict(letter.headers)[DEAD_REASON] == OUT_OF_RANGE.encode()


def test_the_longest_durations_are_counted(partition: Partition) -> None:
    number = 1000
    records = [partition.record(1, handle=LONGEST_DURATION, wait=LONGEST_DURATION) for _ in range(number)]

    assert partition.fold(*records) == 0

    (row,) = partition.write()
    assert (row.count, row.handle.mean, row.wait.mean) == (number, LONGEST_DURATION, LONGEST_DURATION)


def test_more_durations_than_are_counted_exactly_make_an_hour_approximate_and_it_says_so() -> None:
    partition = Partition(policy=replace(POLICY, exact_values=3))
    partition.fold(*(partition.record(1, handle=float(seconds)) for seconds in (1, 2, 3)))
    (exact,) = partition.write()
    partition.fold(partition.record(2, handle=4.0))
    (approximate,) = partition.write()

    assert exact.exact
    assert not approximate.exact
    assert approximate.count == 4
    assert approximate.handle.p50 == pytest.approx(2.5, rel=0.01)


def test_an_hour_that_is_quiet_rests_as_its_bytes_and_counts_on_when_an_event_comes(partition: Partition) -> None:
    partition.fold(partition.record(1), partition.record(1, campaign="service"))
    partition.write()
    partition.write(passed=QUIET)
    partition.fold(partition.record(2))
    partition.write(passed=QUIET)

    assert list(partition.hours._values) == [("sales", TEN)]
    assert len(partition.hours) == 2

    partition.fold(partition.record(3, campaign="service", handle=90.0))
    (row,) = partition.write()

    assert (row.campaign_id, row.count, row.revision, row.handle.max) == ("service", 2, 2, 90.0)


def test_of_many_hours_that_end_at_once_some_do_so_in_each_flush(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed_rows, "MOST_ENDED", 2)
    campaigns = {f"campaign {number}" for number in range(5)}
    partition.fold(*(partition.record(1, campaign=campaign) for campaign in sorted(campaigns)))
    partition.write()
    partition.silent(0, 65)

    first = partition.write()
    partition.restart()
    rest = [partition.write() for _ in range(3)]

    assert [len(first), *map(len, rest)] == [2, 2, 1, 0]
    ended = [row for rows_ in (first, *rest) for row in rows_]
    assert {row.campaign_id for row in ended if row.final} == campaigns
