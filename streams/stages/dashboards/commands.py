"""Commands of one partition, in order per dashboard, with what is remembered of each and the audit chain. Pure.

Calls in order per key are `streams.core.calls`; here is what a flush writes beside what it writes: memory before the
outputs, because what is remembered of an attempt must be stored when its intent is published.
"""

from collections.abc import Callable, Mapping

from schemas.records import DashboardCommand
from schemas.records.audit import AuditEntry, AuditRecord
from schemas.topics import DASHBOARD_COMMANDS
from streams.core.audit.chain import Chain
from streams.core.calls.job import Job, Outcome, Tiers
from streams.core.calls.ordered import KEY, META, PARKED, Calls
from streams.core.contract import Change, Flush
from streams.stages.dashboards.command import Order, rolled
from streams.stages.dashboards.memory import Memory, decode

STAGE = "dashboards"
MEMORY = b"m|"  # before the ids of dashboards


class Commands(Calls[Order]):
    """The calls of one partition, their memory and their audit chain.

    Args:
        partition: of the commands, the retry tiers and the audit trail.
        stored: {key: value} of an earlier life.
        generation: of this owner in its group.
        encode: entry of the audit trail -> bytes.
        tiers: where failed calls wait.
        read: bytes -> (dashboard id, order); raises ValueError.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        generation: int,
        encode: Callable[[AuditEntry], bytes],
        tiers: Tiers,
        read: Callable[[bytes], tuple[str, Order]],
    ) -> None:
        calls = {key: value for key, value in stored.items() if key == META or key.startswith((KEY, PARKED))}
        topic = DASHBOARD_COMMANDS.name
        super().__init__(partition, calls, stage=STAGE, topic=topic, tiers=tiers, read=read, original=True)
        self._chain = Chain(partition, stored, generation=generation, encode=encode)
        self._memory = {
            key.removeprefix(MEMORY).decode(): decode(value) for key, value in stored.items() if key.startswith(MEMORY)
        }
        self._rolled: dict[str, str] = {}
        self._noted: dict[str, None] = {}
        for record in self._chain.again:  # the audit trail is stored before the memory: a kill can come between them
            name = record.dashboard_id
            self.remember(name, self.memory(name).after(record))
        self._audited = bool(self._chain.again)
        self._calling: dict[str, Job[Order]] = {}
        self._waiting: list[Callable[[], None]] = []
        self._writing: list[Callable[[], None]] = []

    @property
    def unwritten(self) -> bool:
        """As of `Calls`; also what is remembered and audited."""
        return bool(super().unwritten or self._noted or self._audited or self._waiting)

    def start(self, now: int, room: int) -> list[Job[Order]]:
        """As of `Calls`."""
        jobs = super().start(now, room)
        self._calling.update((job.key, job) for job in jobs)
        return jobs

    def finish(self, job: Job[Order], outcome: Outcome, now: int) -> None:
        """As of `Calls`."""
        self._calling.pop(job.key, None)
        super().finish(job, outcome, now)

    def release(self, job: Job[Order]) -> None:
        """As of `Calls`."""
        self._calling.pop(job.key, None)
        super().release(job)

    def is_calling(self, job: Job[Order]) -> bool:
        """Whether a call is under way for this partition."""
        return self._calling.get(job.key) is job

    def memory(self, dashboard: str) -> Memory:
        """Return what is remembered of a dashboard."""
        return self._memory.get(dashboard, Memory())

    def behind(self, now: int) -> list[DashboardCommand]:
        """Return the commands that roll relative ranges on which are a step behind at `now` (ms), each once."""
        found = [rolled(name, memory, now) for name, memory in self._memory.items()]
        new = [each for each in found if each is not None and self._rolled.get(each.dashboard_id) != each.command_id]
        self._rolled.update((each.dashboard_id, each.command_id) for each in new)
        return new

    def remember(self, dashboard: str, memory: Memory) -> None:
        """Store `memory` with the next flush."""
        if memory != self._memory.get(dashboard):
            self._memory[dashboard] = memory
            self._noted[dashboard] = None

    def audit(self, record: AuditRecord) -> None:
        """Publish `record` with the next flush."""
        self._chain.add(record)
        self._audited = True

    def when_written(self, done: Callable[[], None]) -> None:
        """Call `done` when all that was remembered and audited until now is with the broker."""
        self._waiting.append(done)

    def flush(self, now: float, *, seal: bool = True) -> Flush:
        """As of `Calls`."""
        flush = super().flush(now, seal=seal)
        flush.state += [Change(MEMORY + name.encode(), self._memory[name].encode()) for name in self._noted]
        self._chain.write(flush)
        self._noted, self._audited = {}, False
        self._writing, self._waiting = self._writing + self._waiting, []
        return flush

    def written(self) -> None:
        """Note that what was flushed is with the broker."""
        writing, self._writing = self._writing, []
        for done in writing:
            done()
