"""Judges the points in InfluxDB against a batch computation over what was sent. Shares no code with the stages.

The truth is made from the definitions: hours in UTC by event time, sorted lists, percentiles by linear interpolation
between closest ranks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, isclose
from typing import Any
from urllib.parse import unquote

HOUR_SECONDS = 3600
MEASUREMENT = "cxone_metrics"
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95}

Window = tuple[str, int]  # campaign id, start of the hour in seconds since the epoch
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`mismatches` has a sentence for every window that isn't as it should be."""

    windows_checked: int
    events_counted: int
    mismatches: tuple[str, ...]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `ordered` lies; between two ranks, in proportion."""
    rank = share * (len(ordered) - 1)
    low, high = ordered[floor(rank)], ordered[ceil(rank)]
    return low + (high - low) * (rank - floor(rank))


def truth(events: Iterable[Mapping[str, Any]]) -> dict[Window, Fields]:
    """Compute the fields of every window from different events, as in the simulator's ledger."""
    handle: defaultdict[Window, list[float]] = defaultdict(list)
    wait: defaultdict[Window, list[float]] = defaultdict(list)
    for event in events:
        second = event["completed_at"] // 1000
        window = event["campaign_id"], second - second % HOUR_SECONDS
        handle[window].append(event["handle_time"])
        wait[window].append(event["wait_time"])
    return {window: _fields(window[1], sorted(handle[window]), sorted(wait[window])) for window in handle}


def _fields(start: int, handle: Sequence[float], wait: Sequence[float]) -> Fields:
    hour = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields: dict[str, Any] = {"hour_bucket": hour, "count": len(handle)}
    for name, share in PERCENTILES.items():
        fields[f"{name}_handle"] = percentile(handle, share)
        fields[f"{name}_wait"] = percentile(wait, share)
    return fields


def judge(expected: Mapping[Window, Fields], points: Iterable[Mapping[str, Any]]) -> Verdict:
    """Compare the windows that should be there with InfluxDB's points: `measurement`, `tags`, `fields`, `time` (ns)."""
    found: dict[Window, Fields] = {}
    mismatches: list[str] = []
    for point in points:
        window = _window(point)
        if window is None or window not in expected:
            mismatches.append(f"a point that should not be there: {point}")
        elif window in found:
            mismatches.append(f"a second point of {_name(window)}: {point}")
        else:
            found[window] = point["fields"]
    for window, fields in expected.items():
        if window not in found:
            mismatches.append(f"{_name(window)} is missing; it should have {fields}")
        elif wrong := _differences(fields, found[window]):
            mismatches.append(f"{_name(window)}: {wrong}")
    counted = sum(int(fields.get("count", 0)) for fields in found.values())
    return Verdict(len(expected), counted, tuple(mismatches))


def _window(point: Mapping[str, Any]) -> Window | None:
    """Return the window that a point is of. What line protocol can't carry is percent-encoded in the tag."""
    if point["measurement"] != MEASUREMENT or set(point["tags"]) != {"campaign_id"} or point["time"] % 10**9:
        return None
    return unquote(point["tags"]["campaign_id"]), point["time"] // 10**9


def _differences(expected: Fields, found: Fields) -> str:
    names = sorted(set(expected) | set(found))
    return ", ".join(
        f"{name} is {found.get(name)!r}, should be {expected.get(name)!r}"
        for name in names
        if not _same(expected.get(name), found.get(name))
    )


def _same(expected: object, found: object) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9)
    return type(expected) is type(found) and expected == found


def _name(window: Window) -> str:
    return f"{window[0]!r} at {datetime.fromtimestamp(window[1], UTC):%Y-%m-%d %H:%M}"
