"""Frames on their way to Kafka."""

import asyncio
from collections.abc import Sequence

from connectors.cxone.connection import Frame
from connectors.ingress.raw_record import Metrics


class Inbox:
    """Frames that are read and not yet acknowledged: bounded in number and bytes, so that a slow Kafka slows reading.

    The last frame may exceed `max_bytes` by its own length.
    """

    def __init__(self, metrics: Metrics, *, max_frames: int = 5_000, max_bytes: int = 16 * 2**20) -> None:
        self._received = metrics.received
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: list[Frame] = []
        self._held = 0  # frames admitted and not done
        self._bytes = 0
        self._undelivered = 0  # as `_held`, and those who wait to be admitted
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def undelivered(self) -> int:
        """How many frames were read and not acknowledged."""
        return self._undelivered

    async def put(self, frame: Frame) -> None:
        """Take a frame, as soon as there is room."""
        self._received.inc()
        self._undelivered += 1
        while self._held >= self._max_frames or self._bytes >= self._max_bytes:
            self._changed.clear()
            await self._changed.wait()
        self._held += 1
        self._bytes += len(frame.data)
        self._frames.append(frame)
        self._arrived.set()

    async def take(self) -> list[Frame]:
        """Return everything that has arrived, waiting for the first frame. It keeps its room until it is `done`."""
        await self._arrived.wait()
        self._arrived.clear()
        frames, self._frames = self._frames, []
        return frames

    def done(self, frames: Sequence[Frame]) -> None:
        """Let go of acknowledged frames."""
        self._held -= len(frames)
        self._bytes -= sum(len(frame.data) for frame in frames)
        self._undelivered -= len(frames)
        self._changed.set()

    async def emptied(self) -> None:
        """Return when everything that was read is acknowledged."""
        while self._undelivered:
            self._changed.clear()
            await self._changed.wait()
