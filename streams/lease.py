"""Whether this process may still act for its partitions.

A process that was stopped for longer than its session (SIGSTOP, a frozen virtual machine, a blocked event loop) has
lost its partitions to another worker without knowing it. What it would then write would go over what the other wrote.
"""

import time
from collections.abc import Callable


class SuspendedError(Exception):
    """The process was away for so long that its partitions may be another worker's."""


class Lease:
    """Beaten by the event loop every second; lost when a beat comes later than `limit` seconds after the last."""

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._beaten = clock()
        self._lost = False

    def beat(self) -> None:
        now = self._clock()
        self._lost = self._lost or now - self._beaten > self._limit
        self._beaten = now

    def check(self) -> None:
        """Raise `SuspendedError` from when the lease is lost until it is renewed."""
        self.beat()
        if self._lost:
            raise SuspendedError(f"this worker was suspended for more than {self._limit:.1f} s")

    def renew(self) -> None:
        """Begin again: the broker has just assigned partitions to this process."""
        self._lost = False
        self._beaten = self._clock()
