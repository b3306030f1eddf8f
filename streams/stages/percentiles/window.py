"""One campaign's hour: its durations, the row that they make, and how it is stored."""

import orjson

from schemas.records import CampaignHour
from streams.core.positions import Positions
from streams.stages.percentiles.durations import Durations

HOUR = 3_600_000  # ms
STATE_VERSION = 1


class Window:
    """One campaign's hour."""

    __slots__ = ("ahead", "campaign", "final", "handle", "hour", "revision", "wait")

    def __init__(self, campaign: str, hour: int) -> None:
        self.campaign = campaign
        self.hour = hour  # milliseconds since the epoch, at its start
        self.handle = Durations()
        self.wait = Durations()
        self.revision = 0
        self.final = False
        self.ahead: Positions | None = None  # restored from a flush that was not completed: what is folded in

    @property
    def key(self) -> bytes:
        return f"{self.hour}|{self.campaign}".encode()

    def row(self) -> CampaignHour:
        return CampaignHour(
            campaign_id=self.campaign,
            hour_start=self.hour,
            count=sum(self.handle.counts.values()) + sum(self.handle.buckets.values()),
            handle=self.handle.summary(),
            wait=self.wait.summary(),
            revision=self.revision,
            final=self.final,
            exact=self.handle.exact and self.wait.exact,
        )

    def stored(self, flush: int, positions: Positions) -> bytes:
        """`positions` of the partition; what this window was restored with counts where it is ahead of them."""
        if self.ahead is not None:
            positions = {raw: max(positions.get(raw, -1), self.ahead.get(raw, -1)) for raw in positions | self.ahead}
        return orjson.dumps(
            {
                "version": STATE_VERSION,
                "flush": flush,
                "revision": self.revision,
                "final": self.final,
                "handle": self.handle.stored(),
                "wait": self.wait.stored(),
                "positions": list(positions.items()),
            }
        )

    @classmethod
    def restored(cls, key: bytes, value: bytes, flush: int, sealed: Positions) -> "Window":
        """`flush` is the last complete one, `sealed` the partition's positions after it."""
        hour, _, campaign = key.decode().partition("|")
        stored = orjson.loads(value)
        window = cls(campaign, int(hour))
        window.revision, window.final = stored["revision"], stored["final"]
        window.handle, window.wait = Durations.restored(stored["handle"]), Durations.restored(stored["wait"])
        positions = dict(map(tuple, stored["positions"]))
        if stored["flush"] > flush or any(offset > sealed.get(raw, -1) for raw, offset in positions.items()):
            window.ahead = positions
        return window
