"""Event time of one raw partition, as its log alone tells it.

An event counts at the time that it names, at most at its arrival (the time that the broker gave its frame): a clock
that runs ahead moves nothing. Where no event arrived for long, time went on by the broker's clock, and the arrival of
the next event shows it. So whoever reads the same log again comes to the same times.
"""

from schemas.envelope import LOG_TIME, Record

SILENT = 3_600_000  # ms without an event, after which log time has gone on by the broker's clock
LONGEST_TIME = 15  # digits


class EventTime:
    """How far one raw partition has come. Times in milliseconds since the epoch; 0 while there was no event.

    `passed` is what windows close by: it goes on after `idle_after` without an event. `log_time` is what events are too
    late by: it waits for `SILENT`, because a pause must not shut out what is loaded from the past. Neither goes back.
    """

    __slots__ = ("_idle_after", "_looked", "arrived", "log_time", "passed")

    def __init__(self, idle_after: int, passed: int = 0, log_time: int = 0, arrived: int = 0) -> None:
        self._idle_after = idle_after
        self.passed, self.log_time = passed, log_time
        self.arrived = arrived  # the latest arrival of an event
        self._looked = 0  # when there was no event yet, for the first time

    def take(self, at: int, arrived: int) -> int:
        """Note an event of the time `at`; return its log time.

        An event's log time is what the partition had come to with it, at most its own arrival: no event is too late
        within the retention of its arrival.
        """
        before, log_time = self.arrived, self.log_time
        if at <= log_time <= arrived and before <= arrived < before + self._idle_after:
            self.arrived = arrived  # as most events are: each comparison saved is a hundredth of what a frame costs
            return log_time
        if before and arrived - before >= self._idle_after:
            self.passed = max(self.passed, arrived)
            if arrived - before >= SILENT:
                self.log_time = max(self.log_time, arrived)
        if arrived > before:
            self.arrived = arrived
        if at > arrived:  # noqa: PLR1730
            at = arrived
        if at > self.log_time:  # which is never ahead of `passed`
            self.log_time = at
            if at > self.passed:  # noqa: PLR1730
                self.passed = at
        return arrived if arrived < self.log_time else self.log_time  # noqa: FURB136

    def by(self, clock: int) -> tuple[int, int]:
        """Return (`passed`, `log_time`) at a time of the broker's clock at which all that had arrived was taken."""
        if not self.arrived and not self._looked:
            self._looked = clock
        silence = clock - (self.arrived or self._looked)
        return (
            max(self.passed, clock) if silence >= self._idle_after else self.passed,
            max(self.log_time, clock) if silence >= SILENT else self.log_time,
        )


def log_time(record: Record) -> int:
    """Return the log time that a record carries; 0 (never too late) when it carries none."""
    for name, value in record.headers:
        if name == LOG_TIME:
            return int(value) if value and len(value) <= LONGEST_TIME and value.isdigit() else 0
    return 0
