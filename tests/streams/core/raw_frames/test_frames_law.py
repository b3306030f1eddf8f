"""The law of frames: whatever is killed, at whatever moment, the first deliveries come out, and only they."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from connectors.cxone import dialect
from schemas.avro import Codec
from schemas.envelope import Consumed
from schemas.records import InteractionCompleted
from schemas.releases import FileSchemaIds
from schemas.topics import RAW_INTERACTIONS
from streams.core.raw_frames import frames
from streams.core.raw_frames.frames import Frames
from streams.core.times import iso
from streams.stages.normalise.reading import interactions
from tests.support.kill_law import KillLaw, Step, by_source, steps

FIELDS = dialect.load("v2").interactions.fields.interaction()
CODEC = Codec(FileSchemaIds())
header, encode = CODEC.header(InteractionCompleted), CODEC.encoder(InteractionCompleted)

START = 1_795_250_400_000  # ms
FIXTURE = [HealthCheck.function_scoped_fixture]  # one value for all examples is what is wanted
HORIZON = 9_000  # ms: slices of 3 seconds
READING = interactions(FIELDS, clock_skew=600_000, encode=encode, header=header)


def frame(event_id: str | None, *, usual: bool = False) -> bytes:
    payload = {"campaignId": "sales", "handleTime": 1, "waitTime": 1}
    time = {"type": "interaction.completed", "timestamp": iso(START)} if usual else {"timestamp": START}
    return orjson.dumps({"eventId": event_id, **time, "payload": payload})


def core(stored: dict[bytes, bytes]) -> Frames[InteractionCompleted]:
    return Frames(0, stored, horizon=HORIZON, reading=READING)


LAW = KillLaw(core, topic=RAW_INTERACTIONS.name, eager=True)


@st.composite
def logs(draw: st.DrawFn) -> list[Consumed]:
    """Frames in order of the log, whose clock goes on by up to several slices, or back a little."""
    contents = st.sampled_from(
        [frame(name, usual=usual) for name in "abcd" for usual in (True, False)] * 2
        + [frame(None), b"{", b'{"subscription":[]}']
    )
    at = START
    log: list[Consumed] = []
    for passed, value in draw(st.lists(st.tuples(st.integers(-500, 2_500), contents), min_size=12, max_size=30)):
        at += passed
        log.append(Consumed(len(log), value, timestamp=at))
    return log


@pytest.fixture(params=[1, 2, frames.JOINING.many], ids="joined after {}".format, autouse=True)
def small_values(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small values joined sooner than a short log would."""
    monkeypatch.setattr(frames, "JOINING", replace(frames.JOINING, many=request.param))


@settings(max_examples=300, deadline=None, suppress_health_check=FIXTURE)
@given(logs(), steps(eager=True))
def test_kills_at_any_moment_leave_what_one_undisturbed_run_publishes(log: list[Consumed], script: list[Step]) -> None:
    undisturbed = by_source(LAW.run(log).published)

    disturbed = by_source(LAW.run(log, script).published)

    event(f"kills: {min(sum(step.kill is not None for step in script), 4)}")
    assert disturbed == undisturbed


@settings(max_examples=10, deadline=None, suppress_health_check=FIXTURE)
@given(logs())
def test_a_kill_at_each_single_write_leaves_what_one_undisturbed_run_publishes(log: list[Consumed]) -> None:
    undisturbed = by_source(LAW.run(log[:15]).published)

    for broker in LAW.at_every_write(log[:15], fold=4):
        assert by_source(broker.published) == undisturbed


@settings(max_examples=100, deadline=None, suppress_health_check=FIXTURE)
@given(logs(), steps(eager=True), st.integers(0, 30), st.booleans())
def test_what_a_suspended_worker_writes_late_changes_nothing(
    log: list[Consumed], script: list[Step], folded: int, seal: bool
) -> None:
    assert by_source(LAW.with_late_writes(log, script, folded, seal=seal).published) == by_source(
        LAW.run(log).published
    )


@settings(suppress_health_check=FIXTURE)
@given(logs())
def test_a_redelivery_is_dropped_within_the_horizon_and_passes_after_a_slice_more(log: list[Consumed]) -> None:
    published = {int(source.rsplit(b":", 1)[1]) for source in by_source(LAW.run(log).published)}

    last: dict[str, int] = {}  # event id -> log time of its last first delivery
    now = 0
    for record in log:
        now = max(now, record.timestamp)  # log time never goes back
        if record.value is None or b'"eventId":"' not in record.value:
            continue
        event_id = orjson.loads(record.value)["eventId"]
        age = now - last.get(event_id, 0)
        if record.offset in published:
            assert age > HORIZON
            last[event_id] = now
        else:
            assert age < HORIZON + HORIZON // 3, "dropped for longer than promised"


@settings(suppress_health_check=FIXTURE)
@given(logs(), steps(eager=True))
def test_stored_are_the_slices_of_the_horizon_and_no_more(log: list[Consumed], script: list[Step]) -> None:
    now = max(record.timestamp for record in log)
    broker = LAW.run(log, script)
    log.append(Consumed(len(log), b"{}", timestamp=now))  # a removal that a kill prevented is made up for

    life = LAW.life(broker)
    life.fold(len(log))
    life.flush(Step(0))

    oldest = now - now % (HORIZON // 3) - HORIZON
    assert all(int(key.partition(b"|")[0]) >= oldest for key in broker.changelog)
