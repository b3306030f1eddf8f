"""The calls under way: one batch of a partition at a time, so that its order is kept, partitions side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from prometheus_client import Counter, Histogram

from schemas.envelope import Outgoing
from streams.runtime.errors import SuspendedError, WithdrawnError
from streams.runtime.refusal_limit import RefusalLimit
from streams.stages.crm.batches import Batch, Batches

BATCHES = Counter("cxone_crm_batches", "Batches that the CRM has answered, halves of refused ones too.", ["outcome"])
RECORDS = Counter("cxone_crm_records", "Messages by what became of them at the CRM.", ["outcome"])
SECONDS = Histogram(
    "cxone_crm_seconds",
    "From the moment the socket delivered the first message of a batch to its being taken by the CRM.",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 100, 300, 1_000, 3_000),
)
TAKEN, REFUSED = "taken", "refused"


class BatchCalls:
    """Calls batches, and tells their partitions what became of them.

    Args:
        post: returns None when the CRM took a batch, its words when it refused it as bad; however long that takes.
            Raises WithdrawnError when the partitions go, SuspendedError when they may have gone.
        refusals: what share of refused messages is too much.
        answered: called after each batch.
        rejoin: asks for partitions anew.
        crash: ends the process for a reason.
        patience: seconds to wait for calls under way when partitions go.
        now: seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        post: Callable[[Batch], Awaitable[str | None]],
        *,
        refusals: RefusalLimit,
        answered: Callable[[], None],
        rejoin: Callable[[], None],
        crash: Callable[[BaseException], Awaitable[None]],
        patience: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._post, self._refusals, self._patience = post, refusals, patience
        self._answered, self._rejoin, self._crash = answered, rejoin, crash
        self._now = now
        self._under_way: set[asyncio.Task[None]] = set()
        self._open = True

    def begin(self) -> None:
        """Take batches of partitions that were just assigned; drop what is left of earlier ones."""
        self._cancel()
        self._open = True

    def start(self, batches: Batches, batch: Batch) -> None:
        """Call a batch, unless partitions are going: then it is their next owner's."""
        if self._open:
            task = asyncio.create_task(self._call(batches, batch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def settle(self) -> None:
        """Start nothing more, and wait for the calls under way. The next owner repeats those that take too long."""
        self._open = False
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._patience)
        self._cancel()

    def _cancel(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def _call(self, batches: Batches, batch: Batch) -> None:
        try:
            refused = await self._divide(batch)
        except WithdrawnError:
            return
        except SuspendedError:
            self._rejoin()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the worker must not go on as if all were well
            await self._crash(failure)
        else:
            batches.answered(batch, refused)
            self._answered()

    async def _divide(self, batch: Batch) -> list[Outgoing]:
        """Send a batch, and if it is refused its halves, in order. Returns the dead letters."""
        parts, refused = [batch], list[Outgoing]()
        while parts:
            part = parts.pop()
            words = await self._post(part)
            BATCHES.labels(TAKEN if words is None else REFUSED).inc()
            if words is None:
                RECORDS.labels(TAKEN).inc(len(part.messages))
                SECONDS.observe(max(0.0, self._now() - _received(part)))
            elif len(part.messages) == 1:
                RECORDS.labels(REFUSED).inc()
                refused += part.refused(words)
            else:
                first, second = part.halves()
                parts += (second, first)
        self._refusals.note(len(batch.messages), len(refused))
        return refused


def _received(batch: Batch) -> float:
    """Return when the socket delivered the first message of a batch, in seconds since the epoch."""
    return datetime.fromisoformat(str(batch.messages[0].row["queued_at"])).timestamp()
