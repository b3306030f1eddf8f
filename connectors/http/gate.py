"""A gate before calls to one peer: while it is closed all of them wait, which uses up nobody's attempt."""

import time
from collections.abc import Awaitable, Callable

from connectors.retry import LONGEST_DELAY, delays

REFUSED = LONGEST_DELAY  # seconds after credentials were refused


class Gate:
    """Open at first.

    Args:
        pause: sleeps; what it raises ends the call before it is made.
        clock: seconds that only grow.
    """

    def __init__(
        self, pause: Callable[[float], Awaitable[None]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause, self._clock = pause, clock
        self._closed_until = 0.0
        self._delays = delays()

    async def passed(self) -> None:
        """Return when the gate is open."""
        while (wait := self._closed_until - self._clock()) > 0:
            await self._pause(wait)

    def close(self, seconds: float | None = None) -> None:
        """Let all wait for so long, or for a delay that grows each time until `well`."""
        wait = next(self._delays) if seconds is None else seconds
        self._closed_until = max(self._closed_until, self._clock() + wait)

    def well(self) -> None:
        """Note that the peer takes calls: delays begin anew."""
        self._delays = delays()
