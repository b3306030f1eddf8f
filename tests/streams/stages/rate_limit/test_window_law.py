"""The law of the limit: it admits what a plain reading of the rule admits, whatever comes when."""

from dataclasses import dataclass, field

from hypothesis import event, given, settings
from hypothesis import strategies as st

from streams.stages.rate_limit.window import Policy, Recent
from tests.support.examples import examples

START = 1_795_250_400_000  # ms
FIRST_CONVERSATION = 11


@dataclass(frozen=True)
class Sent:
    guest: int
    conversation: int
    sent_at: int
    received_at: int


@dataclass
class Reading:
    """The rule as it is written, one millisecond after the other. It forgets nothing but at the end of an era."""

    policy: Policy
    log_time: int = 0
    eras: int = 0
    far_back: list[int] = field(default_factory=list)  # arrivals, one after the other
    counted: dict[int, list[int]] = field(default_factory=dict)
    admitted: list[int] = field(default_factory=list)

    def take(self, sent: Sent) -> tuple[int, int]:
        """Return when the message counts, and the first moment from then on that is admitted."""
        policy = self.policy
        if self.log_time - sent.received_at > policy.window + policy.lateness + policy.clock_skew:
            self.far_back.append(sent.received_at)
        else:
            self.far_back.clear()
        if any(sent.received_at - arrival > policy.window for arrival in self.far_back):
            self.log_time, self.eras = 0, self.eras + 1
            self.counted.clear()
            self.admitted.clear()
            self.far_back.clear()
        self.log_time = max(self.log_time, sent.received_at)
        at = sent.sent_at
        at = min(at, sent.received_at + policy.clock_skew)
        at = max(at, self.log_time - policy.lateness)
        of_guest, of_conversation = (self.counted.setdefault(each, []) for each in (sent.guest, sent.conversation))
        admitted = self.admits(of_guest, of_conversation, at)
        if admitted or policy.count_refused:
            of_guest.append(at)
        if admitted:
            of_conversation.append(at)
            self.admitted.append(at)
            return at, at
        moments = range(at, at + 10**6)
        return at, next(moment for moment in moments if self.admits(of_guest, of_conversation, moment))

    def admits(self, of_guest: list[int], of_conversation: list[int], at: int) -> bool:
        policy = self.policy
        return (
            self.has_room(of_guest, at, policy.limit)
            and self.has_room(of_conversation, at, policy.conversation_limit)
            and sum(time // policy.window == at // policy.window for time in self.admitted) < policy.ceiling
        )

    def has_room(self, times: list[int], at: int, limit: int) -> bool:
        window = self.policy.window
        near = [time for time in times if abs(time - at) <= window]
        return all(sum(x <= time <= x + window for time in near) < limit for x in range(at - window, at + 1))


POLICIES = st.builds(
    Policy,
    limit=st.integers(1, 4),
    conversation_limit=st.integers(1, 6),
    ceiling=st.integers(1, 12),
    window=st.integers(1, 12),
    lateness=st.integers(0, 15),
    clock_skew=st.integers(0, 8),
    count_refused=st.booleans(),
)


@st.composite
def sequences(draw: st.DrawFn) -> list[Sent]:
    """Messages of up to three guests in order of arrival, nearly; sent at any time around it.

    The clock may jump ahead and be set back, far or by little, once or several times; another one may lag behind it.
    """
    clock, found = START, []
    steps = st.tuples(
        st.sampled_from([*[0, 0, 0, 1, 1, 2, 5, 17, -1] * 2, 8, 60, 300, -9, -40, -300]),
        st.sampled_from([0, 0, 0, 1, -1, -3, 6, -10, 30, -80]),
        st.sampled_from([1, 1, 1, 2, 3]),
        st.sampled_from([11, 11, 12]),
        st.sampled_from([*[0] * 12, -50, -1000]),
    )
    for passed, ahead, guest, conversation, lag in draw(st.lists(steps, min_size=8, max_size=50)):
        clock += passed
        found.append(Sent(guest, conversation, clock + lag + ahead, clock + lag))
    return found


@settings(max_examples=examples(300, 1000), deadline=None)
@given(POLICIES, sequences())
def test_the_limit_admits_exactly_what_a_plain_reading_of_the_rule_admits(policy: Policy, sequence: list[Sent]) -> None:
    recent, reading = Recent(policy), Reading(policy)
    refused = 0
    for sent in sequence:
        at = recent.event_time(sent.sent_at, sent.received_at)
        allowed_at = recent.take(sent.guest, sent.conversation, at)

        assert (at, allowed_at) == reading.take(sent)
        assert recent.era == reading.eras
        refused += allowed_at > at
    event(f"refused: {min(refused, 5)}")
    event(f"eras: {min(reading.eras, 3)}")


@settings(max_examples=examples(150, 500), deadline=None)
@given(POLICIES, sequences())
def test_no_window_of_an_era_holds_more_admitted_messages_of_a_guest_or_conversation_than_the_limit(
    policy: Policy, sequence: list[Sent]
) -> None:
    recent = Recent(policy)
    admitted: dict[tuple[int, int], list[int]] = {}
    for sent in sequence:
        at = recent.event_time(sent.sent_at, sent.received_at)
        if recent.take(sent.guest, sent.conversation, at) == at:
            for number in (sent.guest, sent.conversation):
                admitted.setdefault((recent.era, number), []).append(at)

    for (_, number), times in admitted.items():
        limit = policy.limit if number < FIRST_CONVERSATION else policy.conversation_limit
        for first in times:
            assert sum(first <= time <= first + policy.window for time in times) <= limit


@settings(max_examples=examples(150, 500), deadline=None)
@given(POLICIES, sequences())
def test_eras_are_more_than_a_window_apart_in_arrivals_that_all_lie_far_back(
    policy: Policy, sequence: list[Sent]
) -> None:
    recent, since = Recent(policy), 0
    for number, sent in enumerate(sequence):
        era, log_time = recent.era, recent.log_time
        recent.event_time(sent.sent_at, sent.received_at)
        if recent.era == era:
            continue
        run = [each.received_at for each in sequence[since : number + 1]]
        while max(run) >= log_time - policy.reach:
            del run[0]
        assert sent.received_at - min(run) > policy.window
        since = number + 1
