"""When most of what comes is refused, the fault is not in the records: a stage stops then."""

from streams.runtime.errors import TooManyRefusedError

SAMPLE = 1000  # records looked at together


class RefusalLimit:
    """Raises when more than `share` of `SAMPLE` or more consecutive records were refused."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._taken = self._refused = 0

    def note(self, taken: int, refused: int) -> None:
        """Count `taken` records of which `refused` were refused.

        Raises:
            TooManyRefusedError: the share was exceeded.
        """
        self._taken += taken
        self._refused += refused
        if self._taken < SAMPLE:
            return
        if self._refused > self._share * self._taken:
            raise TooManyRefusedError(
                f"{self._refused} of the last {self._taken} records were refused: look at the newest dead letters; "
                "is the dialect right? STREAMS_DEAD_LETTER_SHARE=1 goes on all the same"
            )
        self._taken = self._refused = 0
