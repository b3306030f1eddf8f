"""What rests, and for how long."""

from schemas.envelope import Consumed
from streams.core.calls.due import Resting
from streams.core.calls.job import Job


def job(due: int, message: str = "") -> Job[str]:
    return Job("key", (0, 0), message, Consumed(0, b""), "retry.1", 0, due=due)


def test_jobs_come_when_they_are_due_and_equally_late_ones_in_order() -> None:
    resting: Resting[str] = Resting()
    for due, message in [(20, "c"), (10, "a"), (10, "b"), (30, "d")]:
        resting.add(job(due, message))
    assert resting.next_due == 10

    assert [each.message for each in resting.take(20)] == ["a", "b", "c"]
    assert resting.next_due == 30
    assert list(resting.take(29)) == []


def test_nothing_rests_beyond_a_bound_that_comes_later() -> None:
    resting: Resting[str] = Resting()
    for due, message in [(86_400_000, "of a clock ahead"), (10, "now")]:
        resting.add(job(due, message))

    resting.bound(30)

    assert [each.message for each in resting.take(30)] == ["now", "of a clock ahead"]
    assert resting.next_due is None
