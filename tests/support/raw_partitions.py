"""Raw partitions made up by a test: their events' headers, and what is told of how far they have come."""

from dataclasses import dataclass, field

from schemas.envelope import LOG_TIME, SOURCE_POSITION, Headers
from schemas.records import EventTimeProgress
from streams.core.event_time import EventTime
from streams.core.windows.watermark import RawProgress


@dataclass
class RawPartitions:
    """What is known of raw partitions, at least `number` of them. Times in milliseconds."""

    number: int = 1
    idle_after: int = 30_000
    times: dict[int, EventTime] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    told: RawProgress = field(default_factory=RawProgress)

    def event(self, raw: int, at: int, arrived: int | None = None) -> Headers:
        """Return the headers of the next event of a raw partition; it arrives at `arrived`, or as early as it can."""
        time = self.times.setdefault(raw, EventTime(self.idle_after))
        offset = self.offsets[raw] = self.offsets.get(raw, -1) + 1
        earliest = max(at, *(each.arrived for each in self.times.values()))
        log_time = time.take(at, earliest if arrived is None else arrived)
        return (SOURCE_POSITION, b"%d:%d" % (raw, offset)), (LOG_TIME, b"%d" % log_time)

    def tell(self, raw: int, reached: int, clock: int | None = None) -> EventTimeProgress:
        """Tell how far a raw partition has come, with all that is published up to `reached`; `clock`: all was read."""
        time = self.times[raw]
        passed, log_time = (time.passed, time.log_time) if clock is None else time.by(clock)
        progress = EventTimeProgress(
            "raw", raw, max(self.number, len(self.times)), "next", passed, log_time, clock is not None, [reached] * 8
        )
        self.told.take(progress)
        return progress
