"""What is refused, all of it, from the start, is no fault of the records: a stage stops then. Otherwise it says so."""

import time
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from streams.runtime.errors import TooManyRefusedError

SAMPLE = 1000  # records looked at together
SILENCE = 60.0  # seconds between two alarms

log = structlog.get_logger()

HANDLED = Counter("cxone_handled_records", "Records that were read, or sent to a sink, refused ones too.", ["of"])
REFUSED = Counter("cxone_refused_records", "Records that were read, or sent to a sink, and refused.", ["of"])


class RefusalLimit:
    """Looks at samples of `SAMPLE` or more consecutive records.

    A wrong setting refuses everything. Whoever may write can make a share of it unreadable, and must not choose by
    that whether a stage runs: as soon as one record was taken, nothing stops it any more.

    Args:
        share: above it an alarm is raised; 1 raises none, and never stops.
        of: whose records, for the alarm and the metrics.
        now: seconds of any clock.
    """

    def __init__(self, share: float, of: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._share, self._of, self._now = share, of, now
        self._taken = self._refused = 0
        self._any = False  # was taken that was not refused
        self._silent_until = 0.0
        self._handled_count, self._refused_count = HANDLED.labels(of), REFUSED.labels(of)  # there from the start

    def note(self, taken: int, refused: int) -> None:
        """Count `taken` records of which `refused` were refused.

        Raises:
            TooManyRefusedError: all of them were, from the start.
        """
        self._handled_count.inc(taken)
        self._refused_count.inc(refused)
        self._taken += taken
        self._refused += refused
        self._any = self._any or refused < taken
        if self._taken < SAMPLE:
            return
        taken, refused, self._taken, self._refused = self._taken, self._refused, 0, 0
        if refused <= self._share * taken:
            return
        if not self._any:
            raise TooManyRefusedError(
                f"all of the first {taken} records were refused: look at the newest dead letters; "
                "is the dialect right? STREAMS_DEAD_LETTER_SHARE=1 goes on all the same"
            )
        if self._now() >= self._silent_until:
            self._silent_until = self._now() + SILENCE
            log.error("much is refused: look at the newest dead letters", stage=self._of, refused=refused, of=taken)
