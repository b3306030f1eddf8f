"""The law of hours: whatever is killed, at whatever moment, each interaction counts once and each row is one row.

What is too late and what is final follows from the raw partitions alone: however their events come together in the
topic, whatever is told of them when, and whatever the workers' clocks say.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.envelope import LOG_TIME, SOURCE_POSITION, Consumed
from schemas.records import CampaignHour, EventTimeProgress, InteractionCompleted
from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED
from streams.core import keyed_rows
from streams.core.keyed_rows import MOST_ENDED
from streams.core.windows.watermark import Passed, RawProgress
from streams.stages.percentiles.hours import Policy
from streams.stages.percentiles.window import HOUR
from tests.streams.stages.percentiles.interactions import CODEC, decode, decode_row, hours
from tests.support.kill_law import Broker, KillLaw, Step, dead_offsets, steps
from tests.support.raw_partitions import RawPartitions

encode_event = CODEC.encoder(InteractionCompleted)

MINUTE = 60_000
START = 1_795_250_400_000 // HOUR * HOUR  # ms
POLICY = Policy(allowed_lateness=20 * MINUTE, retention=2 * HOUR, exact_values=4)


IDLE_AFTER = 30 * MINUTE


@dataclass
class Log:
    """The topic of interactions, and what is told of the raw partitions behind it."""

    records: list[Consumed] = field(default_factory=list)
    told: list[EventTimeProgress] = field(default_factory=list)
    end: list[EventTimeProgress] = field(default_factory=list)  # of each raw partition, when nothing more comes
    too_late: set[bytes] = field(default_factory=set)  # source positions


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A partition of interactions from up to three raw partitions, some published twice by a killed normalise.

    Each raw partition has a story of its own; how they come together is drawn apart from that.
    """
    number = draw(st.integers(1, 3))
    steps_ = st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 90) | st.sampled_from([150, 400]),  # minutes from one arrival to the next
        st.integers(0, 20) | st.integers(0, 300),  # minutes that an event took to arrive
        st.sampled_from([0.0, 1.0, 1.5, 2.0, 60.0, 61.0, 300.0]),
    )
    raws, log = RawPartitions(number, IDLE_AFTER), Log()
    queues = dict[int, list[tuple[Consumed, EventTimeProgress]]]()
    for raw in range(number):
        arrived, queues[raw] = START + 300 * MINUTE, []
        for campaign, later, took, duration in draw(st.lists(steps_, min_size=1, max_size=12)):
            arrived += later * MINUTE
            at = arrived - took * MINUTE
            headers = raws.event(raw, at, arrived)
            ended = at // HOUR * HOUR + HOUR + POLICY.retention
            if ended <= int(dict(headers)[LOG_TIME]):
                log.too_late.add(dict(headers)[SOURCE_POSITION])
                assert ended <= arrived, "too late within the retention of its own arrival"
            value = encode_event(InteractionCompleted(None, campaign, duration, duration / 2, at))
            queues[raw].append((Consumed(0, value, headers=headers), raws.tell(raw, -1)))
    order = draw(st.permutations([raw for raw, queue in queues.items() for _ in queue]))
    published = [queues[raw].pop(0) for raw in order]
    for at, count in draw(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=2)):
        published[at:at] = published[max(0, at - count) : at]
    for offset, (record, progress) in enumerate(published):
        log.records.append(Consumed(offset, record.value, headers=record.headers))
        log.told.append(replace(progress, reached=[offset]))
    clock = max(time.arrived for time in raws.times.values()) + draw(st.integers(0, 300)) * MINUTE
    log.end = [raws.tell(raw, len(published) - 1, clock) for raw in range(number)]
    return log


def run(log: Log, script: list[Step], heard: list[int]) -> Broker:
    """Go through `script`, hearing so many more of what is told before each flush; in the end all of it."""
    told, numbers = iter(log.told), iter(heard)

    class Heard(RawProgress):
        @property
        def by_all(self) -> Passed | None:
            self.take_all(islice(told, next(numbers, 0)))
            return super().by_all

        def take_all(self, some: Iterable[EventTimeProgress]) -> None:
            for progress in some:
                self.take(progress)

    raw = Heard()
    law = KillLaw(lambda stored: hours(0, stored, POLICY, raw), topic=INTERACTIONS_COMPLETED.name)
    broker = law.run(log.records, script)
    raw.take_all((*told, *log.end))
    life = law.life(broker)
    life.fold(len(log.records))
    for _ in range(1 + len(log.records) // keyed_rows.MOST_ENDED):
        life.flush(Step(0))
    return broker


def batch(log: Log) -> dict[tuple[str, int], list[InteractionCompleted]]:
    """Group what is not too late by campaign and hour, each source position once."""
    found: dict[tuple[str, int], list[InteractionCompleted]] = defaultdict(list)
    seen = set(log.too_late)
    for record in log.records:
        position = dict(record.headers)[SOURCE_POSITION]
        if position not in seen:
            seen.add(position)
            assert record.value is not None
            interaction = decode(record.value)
            found[interaction.campaign_id, interaction.completed_at // HOUR * HOUR].append(interaction)
    return found


def check(broker: Broker, log: Log) -> None:
    contents: dict[tuple[str, int, int], bytes] = {}
    last: dict[tuple[str, int], CampaignHour] = {}
    for content in (output.value or b"" for output in broker.published if output.topic == CAMPAIGN_HOURLY.name):
        row = decode_row(content)
        key = row.campaign_id, row.hour_start
        assert contents.setdefault((*key, row.revision), content) == content, "one revision, two contents"
        assert key not in last or last[key].revision <= row.revision, "a revision went down"
        last[key] = row
    dead = {dict(log.records[offset].headers)[SOURCE_POSITION] for offset in dead_offsets(broker.published)}
    assert dead == log.too_late
    expected, watermark = batch(log), min(progress.passed for progress in log.end)
    assert {key: row.count for key, row in last.items()} == {key: len(events) for key, events in expected.items()}
    for key, events in expected.items():
        row, handle = last[key], np.array([interaction.handle_time for interaction in events])
        assert row.final == (key[1] + HOUR + POLICY.allowed_lateness <= watermark)
        assert (row.handle.min, row.handle.max) == (handle.min(), handle.max())
        assert row.handle.mean == pytest.approx(handle.mean(), rel=1e-9)
        percentiles = np.percentile(handle, [50, 90, 95], method="linear")
        found = [row.handle.p50, row.handle.p90, row.handle.p95]
        assert found == pytest.approx(list(percentiles), rel=1e-9 if row.exact else 0.011)


@settings(max_examples=300, deadline=None)
@given(
    logs(),
    steps(passed=(0.0, 1.0, 20.0, -4e6, 4e6)),
    st.lists(st.integers(0, 8), max_size=20),
    st.sampled_from([1, MOST_ENDED]),
)
def test_kills_at_any_moment_leave_the_rows_of_the_batch_computation(
    log: Log, script: list[Step], heard: list[int], most_ended: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed_rows, "MOST_ENDED", most_ended)
        broker = run(log, script, heard)

    event(f"kills: {min(sum(step.kill is not None for step in script), 4)}")
    event(f"too late: {bool(log.too_late)}")
    check(broker, log)
