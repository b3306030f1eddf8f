"""How far event time has come: the time that every raw partition behind a partition has passed."""

from collections.abc import Mapping
from typing import Any


class Watermark:
    """Event time (ms) that every raw partition has passed. One that has been silent for `idle_after` is not waited for.

    `reached` never goes back. It moves in `advance` alone, so that all records of a flush meet the same watermark.
    """

    def __init__(self, idle_after: int) -> None:
        """`idle_after` in milliseconds."""
        self._idle_after = idle_after
        self.reached = 0
        self._newest: dict[int, int] = {}  # raw partition -> latest event time
        self._heard: dict[int, float] = {}  # raw partition -> when it was last heard of, ms
        self._fresh: set[int] = set()  # raw partitions heard of since the last `advance`

    def hear(self, latest: Mapping[int, int]) -> None:
        """Note events, as {raw partition: latest event time of them}."""
        newest = self._newest
        for raw, at in latest.items():
            if at > newest.get(raw, 0):
                newest[raw] = at
        self._fresh.update(latest)

    def advance(self, now: int) -> int:
        """Move the watermark as far as events allow at `now` (ms); return how far it has come."""
        for raw in self._newest:
            if raw in self._fresh or raw not in self._heard:
                self._heard[raw] = now
        self._fresh.clear()
        if self._newest:
            active = [at for raw, at in self._newest.items() if now - self._heard[raw] < self._idle_after]
            self.reached = max(self.reached, min(active) if active else max(self._newest.values()))
        return self.reached

    def final(self, now: int) -> int:
        """Return the event time behind which everything is final: by the clock when nothing comes to move it."""
        silent = all(now - heard >= self._idle_after for heard in self._heard.values())
        return max(self.reached, now) if silent else self.reached

    def stored(self) -> dict[str, Any]:
        """Return what `restore` takes, in JSON's types."""
        return {"reached": self.reached, "newest": list(self._newest.items())}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from where an earlier life was."""
        self.reached = stored.get("reached", 0)
        self._newest = {raw: at for raw, at in stored.get("newest", ())}  # noqa: C416 - pairs come as lists
