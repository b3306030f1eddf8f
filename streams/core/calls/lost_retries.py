"""Which records that wait in retry tiers have not come out of them since a partition was taken over."""

from collections.abc import Iterable
from typing import Any

from streams.core.calls.job import Job
from streams.core.taken import Source


class Awaited:
    """Records that wait in a tier, as far as the stored state knows, and have not come out of it in this life.

    What is stored was in its tier before it was stored, so whatever this life writes to a tier lies behind it. Once a
    record of this life has come out of each tier, the ones that have not come are in none: retention deleted them, or
    their calls were made and the late write of a suspended worker brought back what was stored of them. The order of
    the tiers says so and no clock, and a backlog in them may last as long as it likes.
    """

    __slots__ = ("_left", "_returned", "_sent", "_topics")

    def __init__(self, topics: tuple[str, ...], stored: Iterable[tuple[str, Source]]) -> None:
        self._topics = topics
        self._left = set(stored)
        self._sent: dict[str, tuple[Source, int, int]] = {}  # the first record of this life in each tier
        self._returned: set[str] = set()

    def __contains__(self, record: tuple[str, Source]) -> bool:
        return record in self._left

    @property
    def untried(self) -> int | None:
        """A tier that nothing of this life was written to."""
        return next((tier for tier, topic in enumerate(self._topics) if topic not in self._sent), None)

    def sent(self, job: Job[Any], topic: str, due: int) -> None:
        """Note a record that goes to a tier. No other life writes one that is due at the same millisecond."""
        if self._left:
            self._sent.setdefault(topic, (job.source, job.attempt, due))

    def came(self, job: Job[Any]) -> None:
        """Note that a record is here, and is no mere copy of one that waits."""
        self._left.discard((job.key, job.source))

    def came_out(self, job: Job[Any]) -> set[tuple[str, Source]]:
        """Note that a record came out of a tier; return the awaited ones of which that shows that they are in none."""
        if self._sent.get(job.topic) == (job.source, job.attempt, job.due):
            self._returned.add(job.topic)
        if len(self._returned) < len(self._topics):
            return set()
        lost, self._left = self._left, set()
        return lost
