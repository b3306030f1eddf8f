"""A lease is held for so long from the group's last answer, counted from when it was asked."""

import time

import pytest

from streams.runtime.errors import SuspendedError
from streams.runtime.lease import BOOT_TIME, Lease, Moment, elapsed

EPOCH = 1_700_000_000.0  # what the broker's clock says when the other one says 0


def at(seconds: float) -> Moment:
    return Moment(seconds, EPOCH + seconds)


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def lease(now: list[float]) -> Lease:
    return Lease(12.0, clock=lambda: now[0], time=lambda: EPOCH + now[0])


def test_it_is_held_for_its_limit_after_each_answer(lease: Lease, now: list[float]) -> None:
    now[0] = 112.0
    lease.check()
    lease.confirm(at(111.0))
    now[0] = 123.0
    lease.check()

    now[0] = 123.1
    assert not lease.held
    with pytest.raises(SuspendedError, match=r"not answered this worker for more than 12\.0 s"):
        lease.check()


def test_an_answer_counts_from_when_it_was_asked_for(lease: Lease, now: list[float]) -> None:
    now[0] = 130.0  # stopped meanwhile

    lease.confirm(at(101.0))

    assert not lease.held


def test_an_older_answer_takes_nothing_back(lease: Lease, now: list[float]) -> None:
    now[0] = 120.0
    lease.confirm(at(119.0))
    lease.confirm(at(110.0))

    now[0] = 130.0
    assert lease.held


def test_a_worker_that_the_group_knows_again_holds_it_again(lease: Lease, now: list[float]) -> None:
    now[0] = 200.0
    assert not lease.held

    lease.confirm(at(200.0))

    assert lease.held


def test_it_ends_when_the_group_says_so_until_it_is_confirmed_anew(lease: Lease, now: list[float]) -> None:
    now[0] = 105.0
    lease.confirm(at(104.0))
    lease.end("UNKNOWN_MEMBER_ID")

    assert not lease.held
    with pytest.raises(SuspendedError, match="does not know this worker any more: UNKNOWN_MEMBER_ID"):
        lease.check()
    lease.confirm(at(104.5))
    assert not lease.held, "that was asked before"

    now[0] = 107.0
    lease.confirm(at(106.0))
    lease.check()


@pytest.mark.parametrize(("oldest", "stamp"), [(12_000, 104.0), (8_000, 108.0), (7_000, 109.0), (5_000, 110.0)])
def test_what_is_stamped_has_its_time_or_is_too_old_when_the_lease_ends(
    lease: Lease, now: list[float], oldest: int, stamp: float
) -> None:
    now[0] = 105.0
    lease.confirm(at(104.0))  # until 116
    now[0] = 110.0

    assert lease.stamp(oldest) == 1000 * (EPOCH + stamp)


def test_nothing_is_stamped_once_it_has_ended(lease: Lease, now: list[float]) -> None:
    now[0] = 112.1
    with pytest.raises(SuspendedError):
        lease.stamp(12_000)


def test_an_answer_that_comes_while_it_is_stamped_makes_it_no_younger(now: list[float]) -> None:
    class Suspended(Lease):
        def check(self) -> None:
            now[0] = 160.0
            self.confirm(at(160.0))  # the first that it does when it goes on
            super().check()

    lease = Suspended(12.0, clock=lambda: now[0], time=lambda: EPOCH + now[0])
    lease.confirm(at(103.0))
    now[0] = 104.0

    assert lease.stamp(12_000) == 1000 * (EPOCH + 103)


def test_its_clock_goes_on_while_the_machine_is_suspended_and_never_back() -> None:
    if BOOT_TIME is not None:
        before = time.clock_gettime(BOOT_TIME)
        assert before <= elapsed() <= time.clock_gettime(BOOT_TIME)
    assert elapsed() <= elapsed()
