"""The law of guests: whatever is killed, at whatever moment, each message has the outcome of an undisturbed run."""

from dataclasses import dataclass, field

from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from streams.core.contract import Flush
from streams.stages.rate_limit.stored import Addition
from streams.stages.rate_limit.window import Policy
from tests.streams.stages.rate_limit.guest_messages import NOW, fold, guests, message, record, store

POLICIES = st.builds(
    Policy,
    limit=st.integers(1, 3),
    window=st.sampled_from([10, 30]),
    lateness=st.sampled_from([0, 10]),
    clock_skew=st.sampled_from([0, 5]),
    count_refused=st.booleans(),
)


@dataclass
class Broker:
    """What survives a kill: the topic of messages, the changelog, what was published, what was committed."""

    log: list[Consumed]
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    published: dict[bytes, Outgoing] = field(default_factory=dict)  # by source position
    committed: int = 0

    def publish(self, outputs: list[Outgoing]) -> None:
        for output in outputs:
            position = dict(output.headers)[SOURCE_POSITION]
            assert self.published.setdefault(position, output) == output, "one message, two outcomes"


class Worker:
    """One life of a worker, from its start to its kill."""

    def __init__(self, broker: Broker, policy: Policy) -> None:
        self.broker = broker
        self.guests = guests(dict(broker.changelog), policy)
        self.position = broker.committed
        self.acknowledged: list[int] = []

    def fold(self, count: int) -> None:
        records = self.broker.log[self.position : self.position + count]
        fold(self.guests, *records)
        self.position += len(records)

    def deliver(self, flush: Flush, upto: int, *, sealed: bool) -> None:
        assert not flush.state
        self.broker.publish(flush.outputs)
        store(self.broker.changelog, flush.seal)
        if sealed:
            self.acknowledged.append(upto)

    def die(self, flush: Flush, progress: int, arrived: int, uncommitted: int) -> None:
        """Deliver any part of the outputs (`arrived` is a bit mask) or all of them and a part of the seal."""
        sealed = progress % (len(flush.seal) + 1)
        self.broker.publish([output for i, output in enumerate(flush.outputs) if sealed or arrived >> i & 1])
        store(self.broker.changelog, flush.seal[:sealed])
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
    """Messages of two raw partitions; at times the stage before is killed, and repeats the last ones of one of them.

    At times the connectors' clock jumps ahead or is set back.
    """
    clock = NOW
    log: list[Consumed] = []
    sent: tuple[list[Consumed], list[Consumed]] = [], []
    steps = st.tuples(
        st.sampled_from([0, 0, 1, 3, 8, 25, 500, -4, -500]),
        st.sampled_from([0, 0, -2, -15, 4, 20]),
        st.sampled_from(["a", "a", "a", "b", None, "broken"]),
        st.integers(0, 1),
        st.sampled_from([0, 0, 0, 0, 2, 5]),
    )
    for passed, ahead, guest, raw, repeated in draw(st.lists(steps, min_size=12, max_size=40)):
        clock += passed
        content = b"{" if guest == "broken" else message(clock, fingerprint=guest, sent=clock + ahead)
        position = b"%d:%d" % (raw, 2 * len(sent[raw]))
        log.append(record(len(log), content, position))
        sent[raw].append(log[-1])
        for again in sent[raw][len(sent[raw]) - repeated :] if repeated else ():
            log.append(Consumed(len(log), again.value, again.key, again.headers))
    return log


STEPS = st.lists(
    st.builds(
        Step,
        fold=st.integers(1, 8),
        seal=st.sampled_from([True, True, False]),
        meanwhile=st.integers(0, 3),
        kill=st.none() | st.tuples(st.integers(0, 5), st.integers(0, 63), st.integers(0, 1)),
    ),
    min_size=4,
    max_size=12,
)


def run(log: list[Consumed], policy: Policy, steps: list[Step]) -> Broker:
    broker = Broker(log)
    worker = Worker(broker, policy)
    for step in steps:
        worker.fold(step.fold)
        upto = worker.position
        flush = worker.guests.flush(0.0, seal=step.seal)
        worker.fold(step.meanwhile)
        if step.kill is None:
            worker.deliver(flush, upto, sealed=step.seal)
        else:
            worker.die(flush, *step.kill)
            worker = Worker(broker, policy)
    worker.fold(len(log))
    worker.deliver(worker.guests.flush(0.0, seal=True), len(log), sealed=True)
    return broker


def eras(log: list[Consumed], policy: Policy) -> int:
    broker = run(log, policy, [])
    return max((Addition.unpack(0, value).era for value in broker.changelog.values()), default=0)


@settings(max_examples=400, deadline=None)
@given(logs(), POLICIES, STEPS)
def test_kills_at_any_moment_leave_what_one_undisturbed_run_publishes(
    log: list[Consumed], policy: Policy, steps: list[Step]
) -> None:
    undisturbed = run(log, policy, [])

    disturbed = run(log, policy, steps)

    event(f"kills: {min(sum(step.kill is not None for step in steps), 4)}")
    event(f"throttled: {min(sum('throttled' in output.topic for output in undisturbed.published.values()), 4)}")
    event(f"eras: {min(eras(log, policy), 3)}")
    assert disturbed.published == undisturbed.published


@given(logs(), POLICIES)
def test_messages_that_come_again_from_the_stage_before_change_nothing(log: list[Consumed], policy: Policy) -> None:
    first = {dict(each.headers)[SOURCE_POSITION]: each for each in reversed(log)}
    once = [each for each in log if first[dict(each.headers)[SOURCE_POSITION]] is each]

    assert run(log, policy, []).published == run(once, policy, []).published


@settings(max_examples=300, deadline=None)
@given(logs(), POLICIES, STEPS, st.integers(0, 40))
def test_what_a_suspended_worker_writes_late_changes_nothing(
    log: list[Consumed], policy: Policy, steps: list[Step], folded: int
) -> None:
    # It was given up for dead with its seal under way. Each worker writes under keys of its own: see TableState.
    undisturbed = run(log, policy, [])
    broker = Broker(log)
    zombie = Worker(broker, policy)
    zombie.fold(folded)
    late = zombie.guests.flush(0.0, seal=True)
    broker.publish(late.outputs)
    worker = Worker(broker, policy)
    for step in steps:
        worker.fold(step.fold)
        worker.deliver(worker.guests.flush(0.0, seal=step.seal), worker.position, sealed=step.seal)
    broker.committed = worker.acknowledged[-1] if worker.acknowledged else 0
    for change in late.seal:
        if change.value is not None:
            broker.changelog.setdefault(change.key, change.value)

    worker = Worker(broker, policy)
    worker.fold(len(log))
    worker.deliver(worker.guests.flush(0.0, seal=True), len(log), sealed=True)

    assert broker.published == undisturbed.published
