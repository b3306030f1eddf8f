"""Minutes over all partitions: when a row comes, when it is final, and what a late event does."""

from dataclasses import replace

import orjson
import pytest

from schemas.dead_letters import DEAD_REASON
from schemas.envelope import Consumed
from schemas.records import MetricSnapshot, MinutePartial, MinutePartials
from schemas.topics import METRICS_SNAPSHOTS
from streams.stages.snapshots.minutes import FILLED_AT_A_TIME, META
from tests.support.minute_flow import CODEC, LATENESS, MINUTE, NOON, RETENTION, Flow, chunk, event

FINAL = NOON + MINUTE + LATENESS  # the time at which the minute of noon is final


def arrive(flow: Flow, partition: int, *events: object) -> None:
    log = flow.events[partition]
    for each in events:
        log.append(each, (partition, len(log.records)))  # type: ignore[arg-type]  # events of a test


def rows(flow: Flow, reached: int = 0, *, of: tuple[int, ...] | None = None) -> list[MetricSnapshot]:
    """Let everything be folded, time go on (in the partitions `of`, or in all), and return what is published."""
    before = len(flow.rows)
    for partition, (life, time) in enumerate(zip(flow.sources, flow.times, strict=True)):
        if of is None or partition in of:
            time.reached = max(time.reached, reached)
        life.fold(len(life.log))
        life.flush()
    flow.merging.fold(len(flow.partials))
    flow.merging.flush()
    return flow.rows[before:]


@pytest.fixture(name="flow")
def _flow() -> Flow:
    return Flow(2)


def test_a_row_comes_with_the_first_event_and_with_every_change(flow: Flow) -> None:
    arrive(flow, 0, event(NOON + 1, handle=10.0, wait=1.0))
    [first] = rows(flow)
    arrive(flow, 1, event(NOON + 2, agent="b", handle=20.0, wait=None))
    [second] = rows(flow)

    assert first == MetricSnapshot(
        NOON, "", 1, 1, 10.0, 1.0, 1, revision=1, final=False, exact=True, heard=1, handles=1, waits=1
    )
    assert second == MetricSnapshot(
        NOON, "", 2, 1, 15.0, 1.0, 2, revision=2, final=False, exact=True, heard=2, handles=2, waits=1
    )
    assert rows(flow) == []


def test_a_queue_has_a_row_of_its_own(flow: Flow) -> None:
    arrive(flow, 0, event(queue="a|b"), event())

    assert [(row.queue, row.events) for row in rows(flow)] == [("", 2), ("a|b", 1)]
    assert flow.merging.core.flush(0.0, seal=True).outputs == []


def test_a_row_is_keyed_by_its_minute_and_queue_and_goes_to_the_only_partition(flow: Flow) -> None:
    arrive(flow, 0, event(queue="a|b"))
    flow.sources[0].fold(1)
    flow.sources[0].flush()
    flow.merging.fold(1)

    outputs = flow.merging.core.flush(0.0, seal=True).outputs

    assert [(each.topic, each.key, each.partition) for each in outputs] == [
        (METRICS_SNAPSHOTS.name, b"2026-11-26T12:00:00Z|", 0),
        (METRICS_SNAPSHOTS.name, b"2026-11-26T12:00:00Z|a|b", 0),
    ]


@pytest.mark.parametrize(("reached", "final"), [(FINAL - 1, False), (FINAL, True)])
def test_a_minute_is_final_when_every_partition_has_passed_its_end_and_the_lateness(
    flow: Flow, reached: int, *, final: bool
) -> None:
    arrive(flow, 0, event())
    rows(flow)

    assert [(row.revision, row.final) for row in rows(flow, reached)] == ([(2, True)] if final else [])
    assert rows(flow, reached) == []


def test_a_partition_that_is_behind_holds_everybody_up_also_one_that_nobody_heard_of() -> None:
    flow = Flow(3)
    arrive(flow, 0, event())
    rows(flow, FINAL, of=(0, 1))
    assert not flow.newest()[NOON, ""].final

    rows(flow, FINAL, of=(2,))

    assert flow.newest()[NOON, ""].final


def test_a_late_event_amends_a_minute_that_stays_final(flow: Flow) -> None:
    arrive(flow, 0, event())
    rows(flow, FINAL)
    arrive(flow, 1, event(agent="b"))

    [row] = rows(flow)

    assert (row.revision, row.final, row.events, row.active_agents) == (2, True, 2, 2)


def test_minutes_without_events_are_there_over_all_queues(flow: Flow) -> None:
    arrive(flow, 0, event(queue="q"), event(NOON + 3 * MINUTE))

    found = rows(flow, FINAL + 4 * MINUTE)

    assert [(row.window - NOON, row.queue, row.events, row.final) for row in found] == [
        (0, "", 1, True),
        (0, "q", 1, True),
        *((n * MINUTE, "", 0, True) for n in (1, 2)),
        (3 * MINUTE, "", 1, True),
        (4 * MINUTE, "", 0, True),
    ]
    assert found[2] == MetricSnapshot(
        NOON + MINUTE, "", 0, 0, 0.0, 0.0, 0, revision=1, final=True, exact=True, heard=0, handles=0, waits=0
    )


def test_after_a_long_silence_empty_minutes_come_by_and_by(flow: Flow) -> None:
    arrive(flow, 0, event())
    rows(flow)
    days = 2 * 24 * 60

    assert len(rows(flow, FINAL + days * MINUTE)) == 1 + FILLED_AT_A_TIME - 1
    while rows(flow):
        pass

    assert len(flow.newest()) == days + 1


def test_what_takes_no_more_events_is_forgotten_and_a_replay_of_it_changes_nothing(flow: Flow) -> None:
    arrive(flow, 0, event(queue="q"))
    rows(flow)
    for time in flow.times:
        time.log_time = NOON + MINUTE + RETENTION + 60_000
    rows(flow, FINAL + 10 * MINUTE)
    assert [key.split(b"|")[1:] for key in flow.merging.stored if key.startswith(b"m|%d|" % NOON)] == []
    assert META in flow.merging.stored

    flow.merging.committed = 0
    flow.merging.begin()

    assert rows(flow) == []
    assert flow.newest()[NOON, ""].events == 1


def test_a_record_that_cannot_be_read_is_a_dead_letter(flow: Flow) -> None:
    assert flow.merging.core.fold(chunk([Consumed(0, b"\xff")])) == 1
    flow.merging.flush()

    assert [dict(letter.headers)[DEAD_REASON] for letter in flow.dead] == [b"undecodable"]


NEWS = MinutePartials(0, 1, 0, 0, (MinutePartial(NOON, "q", 0, 1, 60_000, 1, 5_000, 1, b"", b""),))
[PARTIAL] = NEWS.minutes


@pytest.mark.parametrize(
    "news",
    [
        replace(NEWS, source=-1),
        replace(NEWS, source=10_000, sources=20_000),
        replace(NEWS, sources=2**31 - 1),
        replace(NEWS, final=2**62),
        replace(NEWS, closed=-1),
        *(
            replace(NEWS, minutes=(PARTIAL, partial))
            for partial in (
                replace(PARTIAL, minute=NOON + 1),
                replace(PARTIAL, minute=-MINUTE),
                replace(PARTIAL, minute=10**18 // MINUTE * MINUTE),
                replace(PARTIAL, queue="\x01" * 1025),
                replace(PARTIAL, events=2**62),
                replace(PARTIAL, waits=-1),
            )
        ),
    ],
)
def test_what_no_partition_can_say_is_a_dead_letter_and_counts_nowhere(flow: Flow, news: MinutePartials) -> None:
    assert flow.merging.core.fold(chunk([Consumed(0, CODEC.encoder(MinutePartials)(news))])) == 1
    flow.merging.flush()

    assert [dict(letter.headers)[DEAD_REASON] for letter in flow.dead] == [b"out of range"]
    assert flow.rows == []


def test_the_longest_queue_and_partitions_of_which_the_number_is_not_known_are_taken(flow: Flow) -> None:
    news = replace(NEWS, sources=0, minutes=(replace(PARTIAL, queue="\x01" * 1024),))

    assert flow.merging.core.fold(chunk([Consumed(0, CODEC.encoder(MinutePartials)(news))])) == 0


def test_state_without_the_numbers_of_times_is_read_and_a_later_event_adds_them(flow: Flow) -> None:
    arrive(flow, 0, event())
    rows(flow)
    key = b"m|%d|" % NOON
    stored = orjson.loads(flow.merging.stored[key])
    flow.merging.stored[key] = orjson.dumps({**stored, "figures": stored["figures"][:-2]})
    flow.merging.begin()
    arrive(flow, 1, event(agent="b", handle=None))

    [row] = rows(flow)

    assert (row.revision, row.events, row.handles, row.waits) == (2, 2, 1, 2)


def test_nothing_is_stored_while_nothing_changes(flow: Flow) -> None:
    arrive(flow, 0, event())
    rows(flow, FINAL)

    assert not flow.merging.core.flush(0.0, seal=True)
