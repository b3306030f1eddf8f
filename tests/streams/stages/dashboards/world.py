"""A CXone, a broker and a worker in memory: what lives through a kill, and what does not."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from schemas.envelope import Consumed
from schemas.records import DashboardCommand
from schemas.records.audit import AuditEntry, AuditRecord
from schemas.topics import DASHBOARD_AUDIT, DASHBOARD_COMMANDS
from streams.core.audit.canonical import payload_hash
from streams.core.audit.chain_check import ChainCheck
from streams.core.calls.job import Done, Failed, Job, Tiers
from streams.core.contract import Change, Chunk, Flush
from streams.stages.dashboards.applying import carry_out
from streams.stages.dashboards.command import Again, Order, Verdict, reader
from streams.stages.dashboards.commands import Commands
from streams.stages.dashboards.cxone import Reply
from streams.stages.dashboards.json_text import dumps, loads
from streams.stages.dashboards.memory import Memory

TIERS = Tiers(("retry.1",), (1000,), attempts=50)
START = 1_770_000_000_000
DASHBOARD = "sales-floor"


class Killed(Exception):
    """The process, at any step."""


@dataclass
class Cxone:
    """One dashboard, with what was done to it. `meanwhile` is what others do before the next PUT arrives."""

    document: dict[str, Any] | None
    version: int = 1
    puts: list[tuple[str, int]] = field(default_factory=list)  # hash of the body, and the answer
    writes: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)  # before and after each of ours
    meanwhile: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # of the next calls: "", "lost", "away", "5xx"

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        assert self.document is not None
        change(self.document)
        self.version += 1

    def get(self) -> Reply | str:
        match self._fault():
            case "away" | "lost":
                return "no answer"
            case "5xx":
                return Reply(503)
        if self.document is None:
            return Reply(404)
        return Reply(200, dumps(self.document), self.etag)

    def put(self, body: bytes, etag: str | None) -> Reply | str:
        fault = self._fault()
        if fault == "away":
            return "no answer"
        if self.meanwhile:
            self.edit(self.meanwhile.pop(0))
        if (self.document is None) != (etag is None) or (etag is not None and etag != self.etag):
            self.puts.append((payload_hash(body), 412 if etag else 409))
            return "no answer" if fault else Reply(412 if etag else 409)
        before, after = self.document, loads(body)
        assert isinstance(after, dict)
        self.document, self.version = after, self.version + 1
        self.writes.append((copy.deepcopy(before or {}), copy.deepcopy(after)))
        self.puts.append((payload_hash(body), 200))
        return "no answer" if fault else Reply(200, body, self.etag, seconds=0.01)

    def _fault(self) -> str:
        return self.faults.pop(0) if self.faults else ""


@dataclass
class World:
    """`kills` are steps, counted over all lives, at which the process dies."""

    cxone: Cxone
    kills: set[int] = field(default_factory=set)
    step: int = 0
    now: int = START
    stored: dict[bytes, bytes] = field(default_factory=dict)
    logs: dict[str, list[Consumed]] = field(
        default_factory=lambda: {DASHBOARD_COMMANDS.name: [], **{topic: [] for topic in TIERS.topics}}
    )
    committed: dict[str, int] = field(default_factory=dict)
    entries: list[AuditEntry] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    generation: int = 0

    def command(self, document: dict[str, Any], **changes: Any) -> str:
        """Publish a command; return its id."""
        log = self.logs[DASHBOARD_COMMANDS.name]
        command = DashboardCommand(
            command_id=f"c{len(log)}",
            dashboard_id=DASHBOARD,
            kind="apply",
            document=dumps(document).decode(),
            create=False,
            etag=None,
            actor="kim",
            issued_at=self.now,
            expires_at=self.now + 600_000,
        )
        command = replace(command, **changes)
        log.append(Consumed(len(log), msgspec.json.encode(command), DASHBOARD.encode()))
        return command.command_id

    def rolled(self) -> list[str]:
        """Publish what rolls ranges on; return the ids of the commands."""
        log = self.logs[DASHBOARD_COMMANDS.name]
        commands = _Life(self).core.behind(self.now)
        log += [
            Consumed(len(log) + number, msgspec.json.encode(each), DASHBOARD.encode())
            for number, each in enumerate(commands)
        ]
        return [each.command_id for each in commands]

    def tick(self) -> None:
        """Pass a moment at which the process may die."""
        self.step += 1
        if self.step in self.kills:
            raise Killed

    def run(self) -> None:
        """Let workers live, one after the other, until all commands are settled."""
        for _ in range(len(self.kills) + 1):
            try:
                _Life(self).run()
            except Killed:
                self.now += 1000
            else:
                return

    def audit(self) -> list[AuditRecord]:
        """Return the audit trail without what was published twice. Asserts that the chain holds."""
        check = ChainCheck(0, whole=True)
        records: dict[tuple[str, str], AuditRecord] = {}
        for number, entry in enumerate(self.entries):
            check.take(entry, str(number))
            records.setdefault((entry.record.attempt, entry.record.kind), entry.record)
        assert check.finding is None, check.finding
        return list(records.values())


class _Life:
    def __init__(self, world: World) -> None:
        world.generation += 1
        self.world = world
        self.core = Commands(
            0,
            dict(world.stored),
            generation=world.generation,
            encode=msgspec.json.encode,
            tiers=TIERS,
            read=reader(lambda value: msgspec.json.decode(value, type=DashboardCommand)),
        )
        self.at = dict(world.committed)

    def run(self) -> None:
        world = self.world
        for _ in range(500):
            self.fold()
            jobs = self.core.start(world.now, 1)
            if not jobs and self.core.next_due is None and not self.core.unwritten:
                return
            for job in jobs:
                outcome = drive(self.carry_out(job))
                world.tick()
                self.core.finish(job, outcome, world.now)
            self.flush()
            if not jobs and self.core.next_due is not None:
                world.now = max(world.now, self.core.next_due)
        raise AssertionError("it never ends")

    async def carry_out(self, job: Job[Order]) -> Done | Failed:
        order, world = job.message, self.world
        came = await carry_out(order, self.core.memory(DASHBOARD), self, [("modifiedBy",)])
        if isinstance(came, Again):
            return Failed(came.reason)
        world.verdicts[order.command.command_id] = came
        return Done()

    def fold(self) -> None:
        for topic, log in self.world.logs.items():
            at = self.at.get(topic, 0)
            if at < len(log):
                self.core.fold(Chunk(topic, 0, log[at:]))
                self.at[topic] = len(log)

    def flush(self) -> None:
        flush = self.core.flush(self.world.now / 1000)
        self.write(flush)
        self.core.written()
        for topic, reached in (flush.reached or {}).items():
            self.world.committed[topic] = max(self.world.committed.get(topic, 0), reached + 1)

    def write(self, flush: Flush) -> None:
        world = self.world
        self.store(flush.state)
        for output in flush.outputs:
            world.tick()
            if output.topic == DASHBOARD_AUDIT.name:
                world.entries.append(msgspec.json.decode(output.value or b"", type=AuditEntry))
            elif output.topic in world.logs:
                log = world.logs[output.topic]
                log.append(Consumed(len(log), output.value, output.key, output.headers))
        self.store(flush.seal)

    def store(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.world.tick()
            if change.value is None:
                self.world.stored.pop(change.key, None)
            else:
                self.world.stored[change.key] = change.value

    # What `carry_out` needs of the world

    async def get(self, dashboard: str) -> Reply | str:
        self.world.tick()
        return self.world.cxone.get()

    async def put(self, dashboard: str, body: bytes, etag: str, *, key: str) -> Reply | str:
        return self._sent(body, etag)

    async def create(self, dashboard: str, body: bytes, *, key: str) -> Reply | str:
        return self._sent(body, None)

    def _sent(self, body: bytes, etag: str | None) -> Reply | str:
        self.world.tick()
        reply = self.world.cxone.put(body, etag)
        self.world.tick()
        return reply

    def remember(self, memory: Memory) -> None:
        self.core.remember(DASHBOARD, memory)

    def audit(self, record: AuditRecord) -> None:
        self.core.audit(record)

    async def written(self) -> None:
        done: list[bool] = []
        self.core.when_written(lambda: done.append(True))
        self.flush()
        assert done

    async def may_go_on(self) -> None:
        self.world.tick()

    def now(self) -> int:
        return self.world.now


def drive(coroutine: Any) -> Any:
    """Run what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")
