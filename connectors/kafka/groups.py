"""Who shares a transaction: whatever waited while the one before was committed."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from connectors.errors import AbortedError
from schemas.envelope import Outgoing

MOST_RECORDS, MOST_BYTES = 10_000, 32 << 20  # of one transaction; who comes first may bring more

Offsets = Mapping[tuple[str, int], int]  # the last one, by topic and partition


class Waiting:
    """Records, and whoever waits for their commit. Made in the event loop, carried out in the producer's thread."""

    __slots__ = ("before_commit", "bytes", "done", "given_up", "offsets", "records", "since", "withdrawn")

    def __init__(self, records: Sequence[Outgoing], before_commit: Callable[[], None] | None, since: float) -> None:
        self.records, self.before_commit, self.since = records, before_commit, since
        self.bytes = sum(len(record.value or b"") for record in records)
        self.done: asyncio.Future[Offsets] = asyncio.get_running_loop().create_future()
        self.offsets: dict[tuple[str, int], int] = {}
        self.withdrawn = self.given_up = False

    def settle(self, failure: Exception | None) -> None:
        """Tell the one who waits, in the event loop; the first time counts."""
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(self.offsets)
        else:
            self.done.set_exception(failure)


class Groups:
    """What waits, between the event loop and the producer's thread. `sharing` publishers at most make a group."""

    def __init__(self, sharing: int) -> None:
        self._sharing = sharing
        self.closed = False
        self.times_given_up = 0
        self.oldest: float | None = None  # since when the first of the group has waited that was taken last
        self._waiting: deque[Waiting] = deque()
        self._taken: list[Waiting] = []
        self._changed = threading.Condition()

    def add(self, waiting: Waiting) -> None:
        """Let `waiting` have its part in the next group. Raises AbortedError after the close."""
        with self._changed:
            if self.closed:
                raise AbortedError("the publisher is closed")
            self._waiting.append(waiting)
            self._changed.notify()

    def take(self) -> list[Waiting]:
        """Return the next group, blocking until there is one; nobody when it is closed and all are taken."""
        with self._changed:
            self.oldest = None
            while True:
                group = self._group()
                if group or self.closed:
                    self._taken = group
                    self.oldest = group[0].since if group else None
                    return group
                self._changed.wait()

    def _group(self) -> list[Waiting]:
        group: list[Waiting] = []
        records = size = 0
        while self._waiting and (
            not group or (len(group) < self._sharing and records < MOST_RECORDS and size < MOST_BYTES)
        ):
            waiting = self._waiting.popleft()
            if not waiting.withdrawn:
                group.append(waiting)
                records += len(waiting.records)
                size += waiting.bytes
        return group

    def give_up(self) -> None:
        """Let nobody who is taken or waits have a part in a commit."""
        with self._changed:
            self.times_given_up += 1
            for waiting in (*self._taken, *self._waiting):
                waiting.given_up = True

    def close(self) -> list[Waiting]:
        """Take nothing more. Returns who waits: `take` gives them out all the same, until they are taken."""
        with self._changed:
            self.closed = True
            self._changed.notify()
            return list(self._waiting)
