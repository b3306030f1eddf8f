"""Whether this process may still act for its partitions.

A process that its consumer group has not heard of for a session has lost its partitions to another worker without
knowing it: it was stopped (SIGSTOP, a frozen virtual machine), or cut off from Kafka. What it would then write would go
over what the other wrote. So the group's own answers count, from the moment at which they were asked for.

The clock goes on while the machine is suspended, where there is such a clock. What none can see is a virtual machine
that is stopped or copied from outside: its time stands still, and it writes until the group's next answer.
"""

import time
from collections.abc import Callable

from streams.runtime.errors import SuspendedError

BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds that never go back, and that a suspended machine counts, too."""
    return time.monotonic() if BOOT_TIME is None else time.clock_gettime(BOOT_TIME)


class Lease:
    """Held for `limit` seconds from the last request in which the group knew this member, or until the group says no.

    `confirm` and `end` are called in the consumer's thread, everything else in the stage's.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = elapsed) -> None:
        self.limit, self.now = limit, clock
        self._confirmed, self._ended = clock(), float("-inf")
        self._why = ""

    def confirm(self, asked_at: float) -> None:
        """Note that the group knew this member when it was asked, at `asked_at` of the clock."""
        self._confirmed = max(self._confirmed, asked_at)

    def end(self, why: str) -> None:
        """Note that the group does not know this member any more: the partitions are another's."""
        self._ended, self._why = self.now(), why

    @property
    def held(self) -> bool:
        return self._confirmed > self._ended and self.now() - self._confirmed <= self.limit

    def check(self) -> None:
        """Raise `SuspendedError` unless the lease is held."""
        if self._confirmed <= self._ended:
            raise SuspendedError(f"the group does not know this worker any more: {self._why}")
        if not self.held:
            raise SuspendedError(f"the group has not answered this worker for more than {self.limit:.1f} s")
