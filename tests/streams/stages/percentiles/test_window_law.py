"""The law of hours: whatever is killed, at whatever moment, each interaction counts once and each row is one row."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.envelope import SOURCE_POSITION, Consumed
from schemas.records import CampaignHour, InteractionCompleted
from schemas.topics import CAMPAIGN_HOURLY, INTERACTIONS_COMPLETED
from streams.stages.percentiles.hours import Policy
from streams.stages.percentiles.window import HOUR
from tests.streams.stages.percentiles.interactions import CODEC, decode, decode_row, hours
from tests.support.kill_law import Broker, KillLaw, Step, dead_offsets, steps

encode_event = CODEC.encoder(InteractionCompleted)

MINUTE = 60_000
START = 1_795_250_400_000 // HOUR * HOUR  # ms
POLICY = Policy(allowed_lateness=20 * MINUTE, retention=2 * HOUR, exact_values=4)


# In the end every hour ends.
LAW = KillLaw(lambda stored: hours(0, stored, POLICY), topic=INTERACTIONS_COMPLETED.name, last=(1.0, 1_000_000.0))


@st.composite
def logs(draw: st.DrawFn) -> list[Consumed]:
    """A partition of interactions from up to three raw partitions, some published twice by a killed normalise."""
    raws = draw(st.integers(1, 3))
    steps = st.tuples(
        st.integers(0, raws - 1),
        st.sampled_from("abc"),
        st.integers(0, 90) | st.integers(-300, 0),  # minutes after or before the latest so far
        st.sampled_from([0.0, 1.0, 1.5, 2.0, 60.0, 61.0, 300.0]),
    )
    offsets, reached = dict.fromkeys(range(raws), 0), 0
    log: list[Consumed] = []
    for raw, campaign, minutes, duration in draw(st.lists(steps, min_size=4, max_size=30)):
        reached += max(minutes, 0)
        at = START + (300 + reached + min(minutes, 0)) * MINUTE
        position = b"%d:%d" % (raw, offsets[raw])
        offsets[raw] += 1
        interaction = InteractionCompleted(None, campaign, duration, duration / 2, at)
        log.append(Consumed(len(log), encode_event(interaction), headers=((SOURCE_POSITION, position),)))
    repeats = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=2))
    for at, count in repeats:
        again = log[max(0, at - count) : at]
        log[at:at] = again
    return [Consumed(offset, record.value, headers=record.headers) for offset, record in enumerate(log)]


def batch(log: list[Consumed], dead: set[int]) -> dict[tuple[str, int], list[InteractionCompleted]]:
    """Group what is not a dead letter by campaign and hour, each source position once."""
    refused = {dict(log[offset].headers)[SOURCE_POSITION] for offset in dead}
    hours: dict[tuple[str, int], list[InteractionCompleted]] = defaultdict(list)
    seen = set(refused)
    for record in log:
        position = dict(record.headers)[SOURCE_POSITION]
        if position not in seen:
            seen.add(position)
            assert record.value is not None
            interaction = decode(record.value)
            hours[interaction.campaign_id, interaction.completed_at // HOUR * HOUR].append(interaction)
    return hours


def check(broker: Broker) -> None:
    contents: dict[tuple[str, int, int], bytes] = {}
    last: dict[tuple[str, int], CampaignHour] = {}
    for content in (output.value or b"" for output in broker.published if output.topic == CAMPAIGN_HOURLY.name):
        row = decode_row(content)
        key = row.campaign_id, row.hour_start
        assert contents.setdefault((*key, row.revision), content) == content, "one revision, two contents"
        assert key not in last or last[key].revision <= row.revision, "a revision went down"
        last[key] = row
    expected = batch(broker.log, dead_offsets(broker.published))
    assert {key: row.count for key, row in last.items()} == {key: len(events) for key, events in expected.items()}
    for key, events in expected.items():
        row, handle = last[key], np.array([interaction.handle_time for interaction in events])
        assert row.final
        assert (row.handle.min, row.handle.max) == (handle.min(), handle.max())
        assert row.handle.mean == pytest.approx(handle.mean(), rel=1e-9)
        percentiles = np.percentile(handle, [50, 90, 95], method="linear")
        found = [row.handle.p50, row.handle.p90, row.handle.p95]
        assert found == pytest.approx(list(percentiles), rel=1e-9 if row.exact else 0.011)


@settings(max_examples=600, deadline=None)
@given(logs(), steps())
def test_kills_at_any_moment_leave_the_rows_of_the_batch_computation(log: list[Consumed], script: list[Step]) -> None:
    broker = LAW.run(log, script)

    event(f"kills: {min(sum(step.kill is not None for step in script), 4)}")
    event(f"too late: {bool(dead_offsets(broker.published))}")
    check(broker)
