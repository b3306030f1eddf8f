"""A broker that keeps fetch sessions as KIP-227 says, and what it knows of what is wanted."""

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.driver.fetch_session import FIRST, LAST, NO_SESSION, Asked, FetchSession

A, B, C = (TP("topic", partition) for partition in range(3))


class Broker:
    """Has at most one session, or none where it `keeps` none."""

    def __init__(self) -> None:
        self.keeps = True
        self.id, self.epoch = NO_SESSION, FIRST
        self.partitions: dict[TP, int] = {}

    def fetch(self, asked: Asked) -> int | None:
        """Return the session's id, None where the fetch is refused; `partitions` are what is fetched then."""
        if asked.epoch == FIRST:
            self.id, self.epoch = (self.id + 1, 1) if self.keeps else (NO_SESSION, FIRST)
            self.partitions = dict(asked.changed)
            return self.id
        if (asked.id, asked.epoch) != (self.id, self.epoch):
            return None
        self.epoch = 1 if self.epoch == LAST else self.epoch + 1
        assert asked.forgotten <= self.partitions.keys()
        self.partitions = {tp: at for tp, at in self.partitions.items() if tp not in asked.forgotten}
        self.partitions |= asked.changed
        return self.id

    def forget(self) -> None:
        self.id, self.epoch = self.id + 1, FIRST  # of another's


@given(st.lists(st.tuples(st.sampled_from("wdaarxlk"), st.sampled_from([A, B, C]), st.integers(0, 5)), max_size=60))
def test_a_broker_always_fetches_what_is_wanted(steps: list[tuple[str, TP, int]]) -> None:
    session, broker = FetchSession(), Broker()
    for step, tp, number in steps:
        match step:
            case "w":
                session.want(tp, number)
            case "d":
                session.drop(tp)
            case "r":
                broker.forget()
            case "k":
                broker.keeps = not broker.keeps
            case "l":  # taken, and the answer lost
                broker.fetch(session.ask())
                session.lost()
            case "x":  # lost before it was taken
                session.ask()
                session.lost()
            case _:
                named = broker.fetch(session.ask())
                if named is None:
                    session.lost()
                    named = broker.fetch(session.ask())
                assert named is not None
                session.answered(named, number)
                assert broker.partitions == session.wanted == session.asked


def test_a_fetch_names_what_changed_since_the_one_before() -> None:
    session = FetchSession()
    for tp in (A, B):
        session.want(tp, 0)
    assert session.ask() == (NO_SESSION, FIRST, {A: 0, B: 0}, frozenset())
    session.answered(7, 1)
    assert session.ask() == (7, 1, {}, frozenset())
    session.answered(7, 1)

    session.want(B, 5)
    session.want(C, 1)
    session.drop(A)

    assert session.ask() == (7, 2, {B: 5, C: 1}, frozenset({A}))
    session.answered(7, 1)
    session.drop(B)
    session.want(B, 5)
    assert session.ask().forgotten == set()


def test_a_broker_without_sessions_is_asked_for_everything() -> None:
    session = FetchSession()
    session.want(A, 3)
    for _ in range(2):
        assert session.ask() == (NO_SESSION, FIRST, {A: 3}, frozenset())
        session.answered(NO_SESSION, 1)


def test_a_partition_is_heard_of_with_each_answer_to_a_fetch_that_the_broker_took_with_it() -> None:
    session = FetchSession()
    session.want(A, 0)
    session.ask()
    assert session.heard_of(A) == -1
    session.answered(7, 100)
    assert session.heard_of(A) == 100

    session.want(B, 0)
    session.ask()
    assert (session.heard_of(A), session.heard_of(B)) == (100, -1)
    session.answered(7, 200)

    assert (session.heard_of(A), session.heard_of(B), session.heard_of(C)) == (200, 200, -1)


def test_epochs_begin_again_behind_the_last() -> None:
    session = FetchSession()
    session.want(A, 0)
    session.ask()
    session.answered(7, 1)
    session._epoch = LAST
    session.ask()
    session.answered(7, 1)

    assert session.ask().epoch == 1
