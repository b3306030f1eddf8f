"""Whether this process may still act for its partitions.

A process that its consumer group has not heard of for a session has lost its partitions to another worker without
knowing it: it was stopped (SIGSTOP, a frozen virtual machine), or cut off from Kafka. What it would then write would go
over what the other wrote. So the group's own answers count, from the moment at which they were asked for.
"""

import time
from collections.abc import Callable

from streams.runtime.errors import SuspendedError


class Lease:
    """Held for `limit` seconds from the last request in which the group knew this member.

    `confirm` is called in the consumer's thread, everything else in the stage's.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._confirmed = clock()

    def confirm(self, asked_at: float) -> None:
        """Note that the group knew this member when it was asked, at `asked_at` of the clock."""
        self._confirmed = max(self._confirmed, asked_at)

    @property
    def held(self) -> bool:
        return self._clock() - self._confirmed <= self.limit

    def check(self) -> None:
        """Raise `SuspendedError` unless the lease is held."""
        if not self.held:
            raise SuspendedError(f"the group has not answered this worker for more than {self.limit:.1f} s")
