"""The law of guests: whatever is killed, at whatever moment, each message has the outcome of an undisturbed run."""

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from schemas.topics import DEAD_LETTERS, GUEST_MESSAGES
from streams.core.sliced_seals import SlicedSeals
from streams.stages.rate_limit.stored import Head
from streams.stages.rate_limit.window import Policy
from tests.streams.stages.rate_limit.guest_messages import NOW, guests, message, record
from tests.support.examples import examples
from tests.support.kill_law import Broker, KillLaw, Step, by_source, steps

POLICIES = st.builds(
    Policy,
    limit=st.integers(1, 3),
    conversation_limit=st.integers(1, 5),
    ceiling=st.integers(2, 20),
    window=st.sampled_from([10, 30]),
    lateness=st.sampled_from([0, 10]),
    clock_skew=st.sampled_from([0, 5]),
    count_refused=st.booleans(),
)


def law(policy: Policy) -> KillLaw:
    return KillLaw(lambda stored: guests(stored, policy), topic=GUEST_MESSAGES.name, partition=4, eager=True)


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
        st.sampled_from("cd"),
        st.integers(0, 1),
        st.sampled_from([0, 0, 0, 0, 2, 5]),
    )
    for passed, ahead, guest, conversation, raw, repeated in draw(st.lists(steps, min_size=12, max_size=40)):
        clock += passed
        content = (
            b"{"
            if guest == "broken"
            else message(clock, fingerprint=guest, conversation=conversation, sent=clock + ahead)
        )
        position = b"%d:%d" % (raw, 2 * len(sent[raw]))
        log.append(record(len(log), content, position))
        sent[raw].append(log[-1])
        for again in sent[raw][len(sent[raw]) - repeated :] if repeated else ():
            log.append(Consumed(len(log), again.value, again.key, again.headers))
    return log


def decided(broker: Broker) -> dict[bytes, Outgoing]:
    """Return what became of messages. What nobody can read may be a dead letter each time it comes."""
    return by_source(output for output in broker.published if output.topic != DEAD_LETTERS.name)


def eras(log: list[Consumed], policy: Policy) -> int:
    seals = SlicedSeals(law(policy).run(log).changelog)
    return msgspec.json.decode(seals.head or b"{}", type=Head).era


@settings(max_examples=examples(150, 400), deadline=None)
@given(logs(), POLICIES, steps(eager=True))
def test_kills_at_any_moment_leave_what_one_undisturbed_run_publishes(
    log: list[Consumed], policy: Policy, script: list[Step]
) -> None:
    undisturbed = by_source(law(policy).run(log).published)

    disturbed = by_source(law(policy).run(log, script).published)

    event(f"kills: {min(sum(step.kill is not None for step in script), 4)}")
    event(f"throttled: {min(sum('throttled' in output.topic for output in undisturbed.values()), 4)}")
    event(f"eras: {min(eras(log, policy), 3)}")
    assert disturbed == undisturbed


@settings(max_examples=examples(10, 50), deadline=None)
@given(logs(), POLICIES)
def test_a_kill_at_each_single_write_leaves_what_one_undisturbed_run_publishes(
    log: list[Consumed], policy: Policy
) -> None:
    undisturbed = by_source(law(policy).run(log[:15]).published)

    for broker in law(policy).at_every_write(log[:15], fold=4):
        assert by_source(broker.published) == undisturbed


@given(logs(), POLICIES)
def test_messages_that_come_again_from_the_stage_before_change_nothing(log: list[Consumed], policy: Policy) -> None:
    first = {dict(each.headers)[SOURCE_POSITION]: each for each in reversed(log)}
    once = [each for each in log if first[dict(each.headers)[SOURCE_POSITION]] is each]

    repeated, plain = law(policy).run(log), law(policy).run(once)

    assert decided(repeated) == decided(plain)
    assert by_source(plain.published).items() <= by_source(repeated.published).items()


@settings(max_examples=examples(100, 300), deadline=None)
@given(logs(), POLICIES, steps(eager=True), st.integers(0, 40), st.booleans())
def test_what_a_suspended_worker_writes_late_changes_nothing(
    log: list[Consumed], policy: Policy, script: list[Step], folded: int, seal: bool
) -> None:
    undisturbed = by_source(law(policy).run(log).published)

    broker = law(policy).with_late_writes(log, script, folded, seal=seal)

    assert by_source(broker.published) == undisturbed
