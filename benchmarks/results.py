"""What has to come out of the frames, computed as a batch with numpy, and how it is compared with what came out."""

from array import array
from collections.abc import Mapping

import numpy as np

from connectors.simulator.interactions.frames import Event

HOUR_MS = 3_600_000
SHARES = (50, 90, 95)

Window = tuple[str, int]  # campaign id, start of the hour in milliseconds since the epoch
Row = tuple[float, ...]  # count; p50, p90, p95 of the handle time in seconds; the same of the wait time
Rows = Mapping[Window, Row]


class WrongResults(Exception):
    """A program that was measured computed something else than the batch did: its speed means nothing."""


class Truth:
    """Collects different events; `rows` is what every program must have published of them in the end."""

    def __init__(self) -> None:
        self.events = 0
        self._windows: dict[Window, tuple[array[float], array[float]]] = {}

    def add(self, event: Event) -> None:
        self.events += 1
        key = event.campaign_id, event.completed_at - event.completed_at % HOUR_MS
        handle, wait = self._windows.setdefault(key, (array("d"), array("d")))
        handle.append(event.handle_time)
        wait.append(event.wait_time)

    def rows(self) -> Rows:
        return {
            window: (len(handle), *np.percentile(handle, SHARES).tolist(), *np.percentile(wait, SHARES).tolist())
            for window, (handle, wait) in self._windows.items()
        }


def require_equal(expected: Rows, found: Rows, *, of: str) -> None:
    """Raise WrongResults unless the windows, counts and percentiles are the same (to 1e-9)."""
    wrong = [
        f"{window}: should be {expected.get(window)}, is {found.get(window)}"
        for window in expected.keys() | found.keys()
        if not _same(expected.get(window), found.get(window))
    ]
    if wrong:
        shown = "\n".join(sorted(wrong)[:5])
        raise WrongResults(f"{of}: {len(wrong)} of {len(expected)} windows are wrong, so there is no figure.\n{shown}")


def _same(expected: Row | None, found: Row | None) -> bool:
    return expected is not None and found is not None and np.allclose(expected, found, rtol=1e-9, atol=1e-9)
