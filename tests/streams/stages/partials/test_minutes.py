"""Partials of one partition: what counts, what is refused, and what goes out."""

from collections.abc import Sequence

import pytest

from schemas.avro import DecodeError
from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON
from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.records import AnalyticsEvent, MinutePartial, MinutePartials
from schemas.topics import METRICS_PARTIALS
from streams.stages.partials.minutes import META, MOST_QUEUES, RECORD_BYTES
from streams.stages.partials.partial import MOST_FINGERPRINTS
from tests.support.minute_flow import CODEC, LATENESS, MINUTE, NOON, RETENTION, Flow, chunk, event

decode = CODEC.decoder(MinutePartials)


def fold(flow: Flow, *events: AnalyticsEvent, log_time: int = 0) -> int:
    """Let events arrive and be folded; return how many were refused."""
    log = flow.events[0]
    for each in events:
        log.append(each, (0, len(log.records)), log_time)
    life = flow.sources[0]
    refused = life.core.fold(chunk(log.records[life.next :]))
    life.next = len(log.records)
    return refused


def news(flow: Flow) -> list[MinutePartials]:
    """Flush; return what was published."""
    before = len(flow.partials)
    flow.sources[0].flush()
    return [decode(record.value or b"") for record in flow.partials[before:]]


def partials(flow: Flow) -> list[MinutePartial]:
    return [partial for each in news(flow) for partial in each.minutes]


def reasons(flow: Flow) -> list[tuple[str, str]]:
    flow.sources[0].flush()
    headers = [dict(letter.headers) for letter in flow.dead]
    return [(each[DEAD_REASON].decode(), each[DEAD_DETAIL].decode()) for each in headers]


@pytest.fixture(name="flow")
def _flow() -> Flow:
    return Flow(1)


def test_an_event_counts_over_all_queues_and_in_its_own(flow: Flow) -> None:
    fold(flow, event(NOON + 59_999, queue="sales", handle=1.5, wait=None))

    [over_all, of_queue] = partials(flow)

    assert (over_all.minute, over_all.queue) == (NOON, "")
    assert (of_queue.minute, of_queue.queue) == (NOON, "sales")
    assert (over_all.events, over_all.handle_time, over_all.handles, over_all.wait_time, over_all.waits) == (
        *(1, 1500, 1),
        *(0, 0),
    )
    assert len(over_all.interactions) == len(over_all.agents) == 8


@pytest.mark.parametrize(
    "uncounted", [event(state="idle"), event(state="Idle"), event(kind="agent"), event(kind="queue", interaction=None)]
)
def test_what_is_idle_or_no_interaction_does_not_count(flow: Flow, uncounted: AnalyticsEvent) -> None:
    assert fold(flow, uncounted) == 0
    assert partials(flow) == []


@pytest.mark.parametrize("state", ["active", "Working", "", None])
def test_every_other_state_counts(flow: Flow, state: str | None) -> None:
    fold(flow, event(state=state))

    assert [partial.events for partial in partials(flow)] == [1]


def test_five_events_of_one_interaction_are_five_events_and_one_interaction(flow: Flow) -> None:
    fold(flow, *(event(NOON + n) for n in range(5)))

    [partial] = partials(flow)

    assert partial.events == 5
    assert len(partial.interactions) == 8


def test_the_same_event_published_again_counts_once(flow: Flow) -> None:
    log = flow.events[0]
    for source in ((0, 1), (0, 2), (0, 1), (0, 2), (1, 1)):
        log.append(event(), source)
    flow.sources[0].fold(5)

    assert [partial.events for partial in partials(flow)] == [3]


def test_who_was_published_is_not_published_again(flow: Flow) -> None:
    fold(flow, event(agent="a"))
    partials(flow)
    fold(flow, event(agent="a"), event(agent="b"))

    [partial] = partials(flow)

    assert (partial.events, len(partial.agents), partial.interactions) == (3, 8, b"")


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        (event(handle=-1.0), "durations lie in 0 to 31622400 seconds"),
        (event(wait=float("inf")), "durations lie in 0 to 31622400 seconds"),
        (event(handle=float("nan")), "durations lie in 0 to 31622400 seconds"),
        (event(-1), "times lie in 1970 to 9999"),
        (event(253_402_300_800_000), "times lie in 1970 to 9999"),
        (event(queue="q" * 1025), "a queue's id has at most 1024 characters"),
    ],
)
def test_what_no_minute_can_hold_is_a_dead_letter(flow: Flow, wrong: AnalyticsEvent, detail: str) -> None:
    assert fold(flow, wrong) == 1
    assert reasons(flow) == [("out of range", detail)]
    assert flow.partials == []


def test_what_cannot_be_read_is_a_dead_letter() -> None:
    flow = Flow(1)
    life = flow.sources[0]

    def fail(_value: bytes) -> AnalyticsEvent:
        raise DecodeError("broken")

    flow.events[0].decode = fail  # type: ignore[assignment,method-assign]  # of a fake
    life.begin()
    record = Consumed(0, b"\xff", headers=((SOURCE_POSITION, b"0:0"),))
    assert life.core.fold(chunk([record])) == 1
    assert reasons(flow) == [("undecodable", "broken")]


@pytest.mark.parametrize(("log_time", "refused"), [(NOON + MINUTE + RETENTION - 1, 0), (NOON + MINUTE + RETENTION, 1)])
def test_whether_an_event_is_too_late_is_a_matter_of_its_record_alone(flow: Flow, log_time: int, refused: int) -> None:
    fold(flow, event())

    assert fold(flow, event(), log_time=log_time) == refused
    assert reasons(flow) == [("too late", "its minute 2026-11-26T12:00:00Z is no longer kept")] * refused


def test_what_is_folded_is_told_to_the_watermark(flow: Flow) -> None:
    fold(flow, event(), event(state="idle"))

    assert flow.times[0].taken == 1


def test_minutes_that_take_no_more_events_are_forgotten_and_stay_so(flow: Flow) -> None:
    fold(flow, event(queue="q"))
    flow.sources[0].flush()
    flow.times[0].reached = flow.times[0].log_time = NOON + MINUTE + RETENTION + 60_000
    [told] = news(flow)

    assert (told.final, told.closed, told.minutes) == (NOON + RETENTION + MINUTE, NOON + MINUTE, ())
    assert set(flow.sources[0].stored) == {META}
    flow.sources[0].begin()
    assert fold(flow, event()) == 1
    assert reasons(flow) == [("too late", "its minute 2026-11-26T12:00:00Z is no longer kept")]
    assert fold(flow, event(NOON + MINUTE)) == 0


def test_time_is_told_once_also_where_no_event_comes(flow: Flow) -> None:
    assert news(flow) == []
    flow.times[0].reached = NOON + LATENESS

    assert [(each.source, each.sources, each.final, each.minutes) for each in news(flow)] == [(0, 1, NOON, ())]
    flow.times[0].reached += MINUTE - 1
    assert news(flow) == []


def test_a_life_tells_the_time_that_an_earlier_one_may_not_have_told(flow: Flow) -> None:
    flow.times[0].reached = NOON + LATENESS
    flow.sources[0].flush()
    flow.sources[0].begin()

    assert [each.final for each in news(flow)] == [NOON]


def test_nothing_is_stored_while_nothing_changes(flow: Flow) -> None:
    fold(flow, event())
    flow.sources[0].flush()

    flush = flow.sources[0].core.flush(0.0, seal=True)

    assert not flush


def test_many_fingerprints_go_out_in_several_records_and_time_in_the_last(flow: Flow) -> None:
    number = 3 * MOST_FINGERPRINTS + 1
    fold(flow, *(event(interaction=f"i{n}", agent=f"a{n}") for n in range(number)))
    flow.times[0].reached = NOON + LATENESS

    records = news(flow)

    assert [each.final for each in records] == [0] * (len(records) - 1) + [NOON]
    parts = [partial for each in records for partial in each.minutes]
    assert {partial.events for partial in parts} == {number}
    for kind in ("interactions", "agents"):
        joined = b"".join(getattr(partial, kind) for partial in parts)
        assert len({joined[i : i + 8] for i in range(0, len(joined), 8)}) == number
    assert _longest(flow.partials) < 2 * RECORD_BYTES


def test_a_minute_has_a_bounded_number_of_queues(flow: Flow) -> None:
    events = [event(queue=f"q{n}") for n in range(MOST_QUEUES + 1)]

    assert fold(flow, *events) == 1
    assert len(partials(flow)) == MOST_QUEUES + 1
    assert _longest(flow.partials) < 2 * RECORD_BYTES
    assert fold(flow, event(queue="q0")) == 0


def test_records_go_to_the_only_partition(flow: Flow) -> None:
    fold(flow, event())

    outputs = flow.sources[0].core.flush(0.0, seal=True).outputs

    assert [(each.topic, each.key, each.partition) for each in outputs] == [(METRICS_PARTIALS.name, b"0", 0)]


def _longest(records: Sequence[Consumed]) -> int:
    return max(len(record.value or b"") for record in records)
