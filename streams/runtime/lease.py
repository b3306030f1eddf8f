"""Whether this process may still act for its partitions.

A process that its consumer group has not heard of for a session has lost its partitions to another worker without
knowing it: it was stopped (SIGSTOP, a frozen virtual machine), or cut off from Kafka. What it would then write would go
over what the other wrote. So the group's own answers count, from the moment at which they were asked for.

The clock goes on while the machine is suspended, where there is such a clock. What none can see is a virtual machine
that is stopped or copied from outside: its time stands still, and it writes until the group's next answer. Nor can a
process take back what it has handed to the network. For both, records that go over earlier ones carry a `stamp`, and
the broker's clock decides.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from streams.runtime.errors import SuspendedError

BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds that never go back, and that a suspended machine counts, too."""
    return time.monotonic() if BOOT_TIME is None else time.clock_gettime(BOOT_TIME)


class Moment(NamedTuple):
    """One moment of two clocks."""

    elapsed: float  # seconds; its zero means nothing
    time: float  # seconds since the epoch


class Lease:
    """Held for `limit` seconds from the last request in which the group knew this member, or until the group says no.

    `confirm` and `end` are called in the consumer's thread, everything else in the stage's. `clock` is what the lease
    is held by, `time` the one that brokers have, too.
    """

    def __init__(
        self, limit: float, clock: Callable[[], float] = elapsed, time: Callable[[], float] = time.time
    ) -> None:
        self.limit = limit
        self._clock, self._time = clock, time
        self._confirmed, self._ended = self.now(), float("-inf")
        self._why = ""

    def now(self) -> Moment:
        """Return the moment at which the group is asked."""
        return Moment(self._clock(), self._time())

    def confirm(self, asked_at: Moment) -> None:
        """Note that the group knew this member when it was asked."""
        self._confirmed = max(self._confirmed, asked_at)

    def end(self, why: str) -> None:
        """Note that the group does not know this member any more: the partitions are another's."""
        self._ended, self._why = self._clock(), why

    @property
    def held(self) -> bool:
        confirmed = self._confirmed.elapsed
        return confirmed > self._ended and self._clock() - confirmed <= self.limit

    def stamp(self, oldest: int) -> int:
        """Return a record's time, in ms since the epoch: now, or what makes it `oldest` ms old when the lease ends.

        A topic that takes no record older than that refuses the record from then on, however long this process or the
        network was stopped between here and the broker. The lease ends before the group gives the partitions to
        another, so that none that is taken can go over what the other wrote, as far as the clocks agree.

        Raises:
            SuspendedError: the lease is not held.
        """
        # Both before the look: after it, a process that was suspended would take the group's next answer.
        now, confirmed = self._time(), self._confirmed
        self.check()
        return min(int(1000 * now), int(1000 * (confirmed.time + self.limit)) - oldest)

    def check(self) -> None:
        """Raise `SuspendedError` unless the lease is held."""
        if self._confirmed.elapsed <= self._ended:
            raise SuspendedError(f"the group does not know this worker any more: {self._why}")
        if not self.held:
            raise SuspendedError(f"the group has not answered this worker for more than {self.limit:.1f} s")
