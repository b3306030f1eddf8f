"""Why a frame is refused; and when most of what comes is, the fault is not in the records: a stage stops then."""

from dataclasses import dataclass

SAMPLE = 1000  # records looked at together


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a frame is not what its stage reads: one of the stage's fixed reasons, and a sentence."""

    reason: str
    detail: str


class TooManyRefusedError(Exception):
    """Most of the last records were refused."""


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
