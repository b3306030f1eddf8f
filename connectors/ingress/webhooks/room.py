"""How much of what callers send may be in memory at a time. No I/O."""

from typing import Self


class Room:
    """Counts requests that wait for Kafka, and the bytes of all bodies that are here."""

    def __init__(self, *, requests: int, max_bytes: int) -> None:
        self._requests, self._max_bytes = requests, max_bytes
        self.waiting = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether another request would have to wait too long."""
        return self.waiting >= self._requests or self.bytes >= self._max_bytes


class Share:
    """What one request takes of a `Room`; gives it back at the end of its `with`."""

    def __init__(self, room: Room) -> None:
        self._room, self._bytes, self._waits = room, 0, False

    def __enter__(self) -> Self:
        return self

    def hold(self, size: int) -> None:
        """Take `size` bytes more."""
        self._bytes += size
        self._room.bytes += size

    def wait(self) -> None:
        """Be one of those who wait for Kafka."""
        self._waits = True
        self._room.waiting += 1

    def __exit__(self, *_: object) -> None:
        self._room.bytes -= self._bytes
        self._room.waiting -= self._waits
