"""One campaign's hour: its durations, the row that they make, and how it is stored."""

import struct
from typing import Any

import msgspec
import orjson

from schemas.records import CampaignHour
from streams.stages.percentiles.durations import Durations
from streams.stages.percentiles.packed import pack, unpack

HOUR = 3_600_000  # ms
_PACKED = b"\0"  # before what is no JSON
_REVISION = struct.Struct("<xQ")


class Window(msgspec.Struct, eq=False, gc=False):
    """One campaign's hour. The garbage collector passes over it, as over `Durations`."""

    handle: Durations = msgspec.field(default_factory=Durations)
    wait: Durations = msgspec.field(default_factory=Durations)
    revision: int = 0
    final: bool = False

    def row(self, campaign: str, hour: int) -> CampaignHour:
        """Return the row of the campaign's hour that starts at `hour`, in milliseconds since the epoch."""
        return CampaignHour(
            campaign_id=campaign,
            hour_start=hour,
            count=sum(self.handle.counts.values()) + sum(self.handle.buckets.values()),
            handle=self.handle.summary(),
            wait=self.wait.summary(),
            revision=self.revision,
            final=self.final,
            exact=self.handle.exact and self.wait.exact,
        )

    def stored(self) -> bytes:
        """Return what `restored` reads: {"revision": 3, "final": false, "handle": {...}, "wait": {...}}.

        A final hour is packed: it hardly changes any more, and is kept for long.
        """
        if self.final and self.handle.exact and self.wait.exact:
            return _REVISION.pack(self.revision) + pack(self.handle.counts) + pack(self.wait.counts)
        return orjson.dumps(
            {
                "revision": self.revision,
                "final": self.final,
                "handle": self.handle.stored(),
                "wait": self.wait.stored(),
            }
        )

    @classmethod
    def restored(cls, value: bytes) -> "Window":
        window = cls()
        if value.startswith(_PACKED):
            (window.revision,), window.final = _REVISION.unpack_from(value), True
            window.handle.counts, end = unpack(value, _REVISION.size)
            window.wait.counts, _ = unpack(value, end)
            return window
        stored: dict[str, Any] = orjson.loads(value)
        window.revision, window.final = stored["revision"], stored["final"]
        window.handle, window.wait = Durations.restored(stored["handle"]), Durations.restored(stored["wait"])
        return window
