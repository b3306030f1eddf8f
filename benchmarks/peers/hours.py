"""What the peers in Python share: a frame -> its window and durations, and the counts of a window -> a row.

It stands alone, for it is imported in the environments of the peers, which have nothing of ours.
"""

from bisect import bisect_right
from datetime import datetime
from functools import lru_cache
from itertools import accumulate

import orjson

FRAMES, HOURLY = "peers.frames", "peers.hourly"  # topics
PUBLISH_INTERVAL = 1.0  # seconds
UNTIL_THE_HOUR = len("2026-01-16T12")

Counts = dict[float, int]  # of each duration in seconds, how many


def parse(frame: bytes) -> tuple[str, int, float, float]:
    """Return the campaign, the start of the hour (milliseconds), the handle time and the wait time in seconds."""
    interaction = orjson.loads(frame)
    payload = interaction["payload"]
    at = interaction.get("timestamp") or payload["completionTime"]
    return payload["campaignId"], _hour(at[:UNTIL_THE_HOUR]), payload["handleTime"], payload["waitTime"]


def key(campaign: str, hour: int) -> bytes:
    return f"{campaign}|{hour}".encode()


def row(handle: Counts, wait: Counts) -> bytes:
    return orjson.dumps([sum(handle.values()), *_quantiles(handle), *_quantiles(wait)])


@lru_cache
def _hour(text: str) -> int:
    """Frames are in UTC, so an hour is the beginning of its text."""
    return round(datetime.fromisoformat(f"{text}:00:00+00:00").timestamp() * 1000)


def _quantiles(counts: Counts) -> list[float]:
    """Return p50, p90 and p95, by linear interpolation between closest ranks."""
    values = sorted(counts)
    upto = list(accumulate(map(counts.__getitem__, values)))
    last = upto[-1] - 1
    found = []
    for share in (0.50, 0.90, 0.95):
        low = int(share * last)
        below, above = (values[bisect_right(upto, rank)] for rank in (low, min(low + 1, last)))
        found.append(below + (above - below) * (share * last - low))
    return found
