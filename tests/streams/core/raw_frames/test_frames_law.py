"""The law of frames: whatever is killed, at whatever moment, the first deliveries come out, and only they."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.avro import Codec
from schemas.dead_letters import DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Change, Chunk, Flush
from streams.core.raw_frames import frames
from streams.core.raw_frames.frames import Frames
from streams.stages.normalise.reading import interactions

FIELDS = dialect.load("v2").interactions.fields.interaction()
encode = Codec(FileSchemaIds()).encoder(InteractionCompleted)

START = 1_795_250_400_000  # ms
HORIZON = 9_000  # ms: slices of 3 seconds
READING = interactions(FIELDS, clock_skew=600_000, encode=encode)


def frame(event_id: str | None) -> bytes:
    payload = {"campaignId": "sales", "handleTime": 1, "waitTime": 1}
    return orjson.dumps({"eventId": event_id, "timestamp": START, "payload": payload})


@dataclass
class Broker:
    """What survives a kill: the topic of frames, the changelog, what was published, what was committed."""

    log: list[Consumed]
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    published: dict[int, Outgoing] = field(default_factory=dict)  # by offset of the frame
    committed: int = 0

    def store(self, changes: list[Change]) -> None:
        for change in changes:
            if change.value is None:
                self.changelog.pop(change.key, None)
            else:
                self.changelog[change.key] = change.value

    def publish(self, outputs: list[Outgoing]) -> None:
        for output in outputs:
            headers = dict(output.headers)
            source = headers[DEAD_SOURCE if output.topic == DEAD_LETTERS.name else SOURCE_POSITION]
            offset = int(source.rsplit(b":", 1)[1])
            assert self.published.setdefault(offset, output) == output, "one frame, two outcomes"


class Worker:
    """One life of a worker, from its start to its kill."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.frames: Frames[InteractionCompleted] = Frames(0, dict(broker.changelog), horizon=HORIZON, reading=READING)
        self.position = broker.committed
        self.acknowledged: list[int] = []

    def fold(self, count: int) -> None:
        records = self.broker.log[self.position : self.position + count]
        if records:
            self.frames.fold(Chunk("raw", 0, records))
            self.position += len(records)

    def deliver(self, flush: Flush, upto: int, *, sealed: bool) -> None:
        assert not flush.state
        self.broker.publish(flush.outputs)
        self.broker.store(flush.seal)
        if sealed:
            self.acknowledged.append(upto)

    def die(self, flush: Flush, progress: int, arrived: int, uncommitted: int) -> None:
        """Deliver any part of the outputs (`arrived` is a bit mask) or all of them and a part of the seal."""
        sealed = progress % (len(flush.seal) + 1)
        self.broker.publish([o for i, o in enumerate(flush.outputs) if sealed or arrived >> i & 1])
        self.broker.store(flush.seal[:sealed])
        committed = self.acknowledged[: len(self.acknowledged) - uncommitted]
        self.broker.committed = committed[-1] if committed else self.broker.committed


@dataclass(frozen=True)
class Step:
    fold: int
    seal: bool
    meanwhile: int
    kill: tuple[int, int, int] | None


@st.composite
def logs(draw: st.DrawFn) -> list[Consumed]:
    """Frames in order of the log, whose clock goes on by up to several slices, or back a little."""
    contents = st.sampled_from([frame(name) for name in "abcd"] * 4 + [frame(None), b"{", b'{"subscription":[]}'])
    at = START
    log: list[Consumed] = []
    for passed, value in draw(st.lists(st.tuples(st.integers(-500, 2_500), contents), min_size=12, max_size=30)):
        at += passed
        log.append(Consumed(len(log), value, timestamp=at))
    return log


STEPS = st.lists(
    st.builds(
        Step,
        fold=st.integers(1, 6),
        seal=st.sampled_from([True, True, False]),
        meanwhile=st.integers(0, 2),
        kill=st.none() | st.tuples(st.integers(0, 5), st.integers(0, 63), st.integers(0, 1)),
    ),
    min_size=4,
    max_size=12,
)


def run(log: list[Consumed], steps: list[Step]) -> Broker:
    broker = Broker(log)
    worker = Worker(broker)
    for step in steps:
        worker.fold(step.fold)
        upto = worker.position
        flush = worker.frames.flush(0.0, seal=step.seal)
        worker.fold(step.meanwhile)
        if step.kill is None:
            worker.deliver(flush, upto, sealed=step.seal)
        else:
            worker.die(flush, *step.kill)
            worker = Worker(broker)
    worker.fold(len(log))
    worker.deliver(worker.frames.flush(0.0, seal=True), len(log), sealed=True)
    return broker


@pytest.fixture(params=[1, 2, frames.SMALL_VALUES], ids="merged after {}".format, autouse=True)
def small_values(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have small values merged sooner than a short log would."""
    before, frames.SMALL_VALUES = frames.SMALL_VALUES, request.param
    yield
    frames.SMALL_VALUES = before


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(), STEPS)
def test_kills_at_any_moment_leave_what_one_undisturbed_run_publishes(log: list[Consumed], steps: list[Step]) -> None:
    undisturbed = run(log, [])

    disturbed = run(log, steps)

    event(f"kills: {min(sum(step.kill is not None for step in steps), 4)}")
    assert disturbed.published == undisturbed.published


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs())
def test_a_redelivery_is_dropped_within_the_horizon_and_passes_after_a_slice_more(log: list[Consumed]) -> None:
    published = run(log, []).published

    last: dict[bytes, int] = {}  # value of a frame with an id -> log time of its last first delivery
    now = 0
    for record in log:
        now = max(now, record.timestamp)  # log time never goes back
        if record.value is None or b'"eventId":"' not in record.value:
            continue
        age = now - last.get(record.value, 0)
        if record.offset in published:
            assert age > HORIZON
            last[record.value] = now
        else:
            assert age < HORIZON + HORIZON // 3, "dropped for longer than promised"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(), STEPS)
def test_stored_are_the_slices_of_the_horizon_and_no_more(log: list[Consumed], steps: list[Step]) -> None:
    now = max(record.timestamp for record in log)
    broker = run(log, steps)
    log.append(Consumed(len(log), b"{}", timestamp=now))  # a removal that a kill prevented is made up for

    worker = Worker(broker)
    worker.fold(len(log))
    worker.deliver(worker.frames.flush(0.0, seal=True), len(log), sealed=True)

    oldest = now - now % (HORIZON // 3) - HORIZON
    slices = [int(key.partition(b"|")[0]) for key in broker.changelog if b"|" in key]
    assert all(index >= oldest for index in slices)
