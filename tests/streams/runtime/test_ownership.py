"""Who owns partitions: each step, and what no sequence of steps may lead to."""

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.ownership import Ownership, State


def test_partitions_are_owned_from_their_recovery_to_their_drain() -> None:
    ownership = Ownership()
    ownership.assigned(5)
    assert not ownership.owned_in(5)
    assert not ownership.may_write

    assert ownership.recovered(5)
    assert ownership.owned_in(5)

    assert ownership.draining()
    assert not ownership.owned_in(5)
    assert ownership.may_write
    ownership.drained()
    assert not ownership.may_write


def test_a_recovery_that_ends_late_revives_nothing() -> None:
    ownership = Ownership()
    ownership.assigned(5)
    assert not ownership.draining(), "nothing was folded yet"

    assert not ownership.recovered(5)
    ownership.assigned(6)
    assert not ownership.recovered(5)
    assert ownership.state is State.ASSIGNED


def test_lost_partitions_are_not_drained() -> None:
    ownership = Ownership()
    ownership.assigned(5)
    ownership.recovered(5)

    assert ownership.lost()
    assert not ownership.lost(), "once"
    assert not ownership.draining()
    assert not ownership.may_write


def test_partitions_can_be_lost_in_the_middle_of_their_drain() -> None:
    ownership = Ownership()
    ownership.assigned(5)
    ownership.recovered(5)
    ownership.draining()

    assert ownership.lost()
    ownership.drained()

    assert ownership.state is State.LOST


STEPS = st.one_of(
    st.tuples(st.sampled_from(["assigned", "recovered"]), st.integers(1, 3)),
    st.tuples(st.sampled_from(["draining", "drained", "lost", "ended"])),
)


@given(st.lists(STEPS, max_size=30))
def test_nothing_is_owned_that_was_not_assigned_and_recovered_since_it_went(steps: list[tuple[object, ...]]) -> None:
    ownership, assigned, recovered, ended = Ownership(), None, False, False
    gone = False  # since partitions went for the first time
    for step, *arguments in steps:
        getattr(ownership, str(step))(*arguments)
        ended = ended or step == "ended"
        if step == "assigned":
            assigned, recovered, gone = arguments[0], False, True
        elif step == "recovered":
            recovered = recovered or arguments[0] == assigned
        elif step in {"draining", "lost"}:
            assigned, recovered, gone = None, False, True
        if gone:
            assert ownership.owned_in(assigned) <= (assigned is not None and recovered)
        if ended:
            assert ownership.state is State.ENDED
            assert not ownership.may_write
        if step == "lost":
            assert not ownership.may_write
