"""The law of hours: whatever is killed, at whatever moment, each interaction counts once and each row is one row."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.avro import Codec
from schemas.dead_letters import DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from schemas.records import CampaignHour, InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Change, Chunk, Flush
from streams.stages.percentiles.hours import Hours, Policy
from streams.stages.percentiles.window import HOUR

CODEC = Codec(FileSchemaIds())
decode, encode = CODEC.decoder(InteractionCompleted), CODEC.encoder(CampaignHour)
encode_event, decode_row = CODEC.encoder(InteractionCompleted), CODEC.decoder(CampaignHour)

MINUTE = 60_000
START = 1_795_250_400_000 // HOUR * HOUR  # ms
POLICY = Policy(allowed_lateness=20 * MINUTE, retention=2 * HOUR, idle_after=30_000, exact_values=4)


@dataclass
class Broker:
    """What survives a kill: the topic of interactions, the changelog, what was published, what was committed."""

    log: list[Consumed]
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    rows: list[tuple[CampaignHour, bytes]] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)
    committed: int = 0

    def store(self, changes: list[Change]) -> None:
        for change in changes:
            if change.value is None:
                self.changelog.pop(change.key, None)
            else:
                self.changelog[change.key] = change.value

    def publish(self, outputs: list[Outgoing]) -> None:
        for output in outputs:
            if output.topic == DEAD_LETTERS.name:
                source = dict(output.headers)[DEAD_SOURCE]
                self.dead.add(int(source.rsplit(b":", 1)[1]))
            else:
                assert output.value is not None
                self.rows.append((decode_row(output.value), output.value))


@dataclass
class Worker:
    """One life of a worker, from its start to its kill."""

    broker: Broker
    policy: Policy
    now: float
    acknowledged: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hours = Hours(0, dict(self.broker.changelog), policy=self.policy, decode=decode, encode=encode)
        self.position = self.broker.committed

    def fold(self, count: int) -> None:
        records = self.broker.log[self.position : self.position + count]
        if records:
            self.hours.fold(Chunk("completed", 0, records))
            self.position += len(records)

    def flush(self, passed: float, meanwhile: int) -> tuple[Flush, int]:
        """Take a flush, and fold on while it is delivered. Returns it and what it acknowledges."""
        self.now += passed
        upto = self.position
        flush = self.hours.flush(self.now, seal=True)
        self.fold(meanwhile)
        return flush, upto

    def deliver(self, flush: Flush, upto: int) -> None:
        self.broker.store(flush.state)
        self.broker.publish(flush.outputs)
        self.broker.store(flush.seal)
        self.acknowledged.append(upto)

    def die(self, flush: Flush, upto: int, progress: int, arrived: int, uncommitted: int) -> None:
        """Deliver a part of a flush, and be no more.

        The changelog keeps a prefix, the other topics any part of the outputs (`arrived` is a bit mask), because
        those go to several partitions. Of what was acknowledged, the last `uncommitted` were not committed.
        """
        state = progress % (len(flush.state) + len(flush.seal) + 2)
        self.broker.store(flush.state[:state])
        if state > len(flush.state):
            sealed = state - len(flush.state) - 1
            self.broker.publish([o for i, o in enumerate(flush.outputs) if sealed or arrived >> i & 1])
            self.broker.store(flush.seal[:sealed])
            if sealed == len(flush.seal):
                self.acknowledged.append(upto)
        committed = self.acknowledged[: len(self.acknowledged) - uncommitted]
        self.broker.committed = committed[-1] if committed else self.broker.committed


@dataclass(frozen=True)
class Step:
    fold: int
    passed: float
    meanwhile: int
    kill: tuple[int, int, int] | None


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


STEPS = st.lists(
    st.builds(
        Step,
        fold=st.integers(0, 6),
        passed=st.sampled_from([0.0, 1.0, 20.0, 40.0]),
        meanwhile=st.integers(0, 3),
        kill=st.none() | st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 2)),
    ),
    max_size=14,
)


def run(log: list[Consumed], steps: list[Step], policy: Policy) -> Broker:
    """Go through `steps`, then take all that is left and let every hour end."""
    broker = Broker(log)
    worker = Worker(broker, policy, now=START / 1000)
    for step in steps:
        worker.fold(step.fold)
        flush, upto = worker.flush(step.passed, step.meanwhile)
        if step.kill is None:
            worker.deliver(flush, upto)
        else:
            worker.die(flush, upto, *step.kill)
            worker = Worker(broker, policy, now=worker.now)
    worker.fold(len(log))
    for passed in (1.0, 1_000_000.0):
        worker.deliver(*worker.flush(passed, 0))
    return broker


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
    for row, content in broker.rows:
        key = row.campaign_id, row.hour_start
        assert contents.setdefault((*key, row.revision), content) == content, "one revision, two contents"
        assert key not in last or last[key].revision <= row.revision, "a revision went down"
        last[key] = row
    expected = batch(broker.log, broker.dead)
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
@given(logs(), STEPS)
def test_kills_at_any_moment_leave_the_rows_of_the_batch_computation(log: list[Consumed], steps: list[Step]) -> None:
    broker = run(log, steps, POLICY)

    event(f"kills: {min(sum(step.kill is not None for step in steps), 4)}")
    event(f"too late: {bool(broker.dead)}")
    check(broker)
