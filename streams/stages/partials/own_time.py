"""How far event time has come in one partition of events, as its own records tell and, where none come, the clock."""

import time
from collections.abc import Callable, Mapping
from typing import Any

SILENT = 3_600_000  # ms without an event, after which the clock also counts for what is kept


class OwnTime:
    """Of one partition. Times in milliseconds since the epoch; they never go back.

    Attributes:
        reached: the latest event time heard of; where nothing came for `idle_after`, the clock's time.
        log_time: the same, where nothing came for `SILENT`.
    """

    def __init__(self, idle_after: int, now: Callable[[], float] = time.time) -> None:
        """Wait `idle_after` ms; `now` is in seconds since the epoch."""
        self._idle_after, self._now = idle_after, now
        self.reached = self.log_time = 0
        self._newest = 0
        self._heard = self._clock()

    def hear(self, at: int) -> None:
        """Note an event of the time `at`."""
        self._newest, self._heard = max(self._newest, at), self._clock()

    def advance(self) -> None:
        """Let time go on."""
        clock = self._clock()
        silence = clock - self._heard
        self.reached = max(self.reached, self._newest, clock if silence >= self._idle_after else 0)
        self.log_time = max(self.log_time, self._newest, clock if silence >= SILENT else 0)

    def stored(self) -> dict[str, Any]:
        """Return what `restore` takes, in JSON's types."""
        return {"reached": self.reached, "log_time": self.log_time}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from where an earlier life was."""
        self.reached, self.log_time = stored.get("reached", 0), stored.get("log_time", 0)

    def _clock(self) -> int:
        return int(self._now() * 1000)
