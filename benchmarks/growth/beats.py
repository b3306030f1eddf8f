"""What a worker says of itself at /metrics: how late beats of its event loop came, and what it keeps."""

import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

TIMEOUT = 60.0  # seconds: a loop that is blocked answers late
_LATE = re.compile(r'cxone_loop_blocked_seconds_bucket\{le="(.+)"\}')


@dataclass(frozen=True, slots=True)
class Figures:
    """What was said at one time. `late` is {upper bound in seconds: beats that came no later}."""

    late: Mapping[float, float]
    longest: float  # seconds, since it was asked before
    recovery: float  # seconds
    keys: float  # stored

    @classmethod
    def read(cls, text: str) -> "Figures":
        """Read Prometheus' text."""
        values = {}
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#"):
                values[name] = float(value)
        late = {float(found[1]): value for name, value in values.items() if (found := _LATE.fullmatch(name))}
        return cls(
            late=late,
            longest=values["cxone_loop_blocked_longest_seconds"],
            recovery=values.get('cxone_recovery_seconds{stage="percentiles"}', 0.0),
            keys=sum(value for name, value in values.items() if name.startswith("cxone_state_keys{")),
        )


def ask(address: str) -> Figures:
    """Ask the worker at `address`, "host:port"."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=TIMEOUT) as answer:
        return Figures.read(answer.read().decode())


@dataclass(frozen=True, slots=True)
class Blocked:
    """How late beats came, in milliseconds."""

    p999: float
    worst: float


def blocked(now: Figures, before: Figures | None = None) -> Blocked:
    """Return how late beats came between two times that a worker was asked, or since its start."""
    worst = now.longest
    p999 = quantile(0.999, now.late, before.late if before is not None else {})
    return Blocked(1e3 * min(p999, worst), 1e3 * worst)


def quantile(share: float, late: Mapping[float, float], before: Mapping[float, float]) -> float:
    """Return how late beats came at most in a share of the cases, in seconds; beats of `before` do not count.

    Between the bounds of a bucket by straight line, as Prometheus does; above the last bound it is that bound.
    """
    counts = sorted((bound, count - before.get(bound, 0.0)) for bound, count in late.items())
    wanted = share * counts[-1][1]
    low = below = 0.0
    for bound, count in counts:
        if count >= wanted:
            return low if bound == inf or count == below else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
