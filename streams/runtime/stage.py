"""What every stage shares: chunk -> fold -> flush -> acknowledge. At-least-once in, effectively-once out.

A stage is a pure `Core` for each partition; this is the shell around it. Chunks are folded as they arrive. A flush
takes what the cores have to write, hands it to `deliver`, and acknowledges the folded chunks when all of it is with
the broker; folding goes on meanwhile. What takes long (a flush of many values, taking up many) is done in slices, and
the loop is free between them. When partitions go, the drain flushes what is held. If that cannot be done in
time, the process ends: whoever owns the partitions next starts from what is stored. A sink that is away is not waited
for: its rows are dropped unacknowledged, and come again to their next owner.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Generator, Iterable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from prometheus_client import Gauge, Histogram

from streams.core.contract import Chunk, Core, Flush
from streams.core.steps import Steps, finish
from streams.runtime.errors import DrainError, SuspendedError, WithdrawnError
from streams.runtime.held import Held, HeldChunk, Taken
from streams.runtime.notices import tell
from streams.runtime.ownership import Ownership, State
from streams.runtime.refusal_limit import RefusalLimit
from streams.runtime.slices import in_slices, others_turn, sliced

log = structlog.get_logger()

SEAL_INTERVAL = 1.0  # seconds, of eager stages: how much is published again, and dropped again by readers, after a kill
LOOK_INTERVAL = 1.0  # seconds between two looks at partitions of which nothing was folded: windows close by time, too
TOGETHER = 0.5  # seconds that partitions wait for each other's deliveries
PATIENCE = 2.0  # seconds that a delivery of a partition takes before no more of that partition is taken
HELD_BYTES = 128 * 2**20
HELD_RECORDS = 200_000  # folded and not acknowledged: beyond this a stage waits for its flush

CHUNKS = Histogram(
    "cxone_chunk_records", "Records of a chunk.", ["stage"], buckets=(1, 3, 10, 30, 100, 300, 1_000, 2_000)
)
SETTLED = Histogram(
    "cxone_settled_seconds",
    "From the log time of a chunk's first record to its acknowledgement.",
    ["stage"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000),
)
RECOVERY = Gauge("cxone_recovery_seconds", "How long the state of the last assignment took to be restored.", ["stage"])

F = TypeVar("F", bound=Flush)
T = TypeVar("T")

Stored = Mapping[int, Mapping[bytes, bytes]]


async def _nothing() -> None: ...


async def _readable(_chunk: Chunk) -> None: ...


class Stage(Generic[F]):
    """Runs the cores of one stage on this worker's partitions.

    Args:
        name: of the stage, as in the topology.
        load: what is stored, {partition: {key: value}}; called when partitions were assigned and recovered.
        core: makes a partition's core from what is stored. Both may do it in steps.
        deliver: writes flushes; returns when they are safe, raises if they never will be.
        interval: seconds from the start of a flush to that of the next; 0 flushes as soon as the one before is done.
            No minimum: a stage that is full, and one that drains, flushes earlier.
        eager: publish outputs at once, and seal each partition at the interval.
        apart: deliver each partition's flush by itself: one that cannot be written holds up no other. What is read
            of it waits in Kafka, so that what others hold is not waited with.
        hold: records that may be folded and not acknowledged; more are waited with.
        folded: called after each chunk.
        settle: waits, when partitions go, for what is under way in the cores' name.
        refusals: share of refused records above which it alarms; see `RefusalLimit` for when it stops.
        rejoin: asks for partitions anew, after `deliver` raised `SuspendedError` or a chunk is missing.
        now: seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        name: str,
        *,
        load: Callable[[], Stored | Steps[Stored]],
        core: Callable[[int, Mapping[bytes, bytes]], Core[F] | Steps[Core[F]]],
        deliver: Callable[[Mapping[int, F]], Awaitable[object]],
        interval: float,
        eager: bool = False,
        apart: bool = False,
        hold: int = HELD_RECORDS,
        folded: Callable[[], None] = lambda: None,
        settle: Callable[[], Awaitable[None]] = _nothing,
        refusals: float = 1.0,
        rejoin: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.blocked: str | None = None  # why nothing can be delivered, for readiness
        self.trouble: str | None = None  # what readiness says while delivery goes on
        self.full = False  # as much is held as may be: nothing more is taken
        self.hold_bytes = HELD_BYTES  # of values, as `hold` of records
        self.ownership = Ownership()
        self._load, self._make, self._deliver, self._rejoin = load, core, deliver, rejoin
        self._interval, self._eager, self._now = interval, eager, now
        self._hold, self._folded, self._settle = hold, folded, settle
        self._refusals = RefusalLimit(refusals, name)
        self._chunks, self._settled = CHUNKS.labels(name), SETTLED.labels(name)
        self._assigned_at = 0.0
        self.cores: dict[int, Core[F]] = {}  # of the partitions that are loaded
        self._taken_up: tuple[object, dict[int, Core[F]]] | None = None  # in which generation, before it is ours
        self._flushing: dict[int, asyncio.Event] = {}  # partitions whose cores are in the middle of a flush
        self._one_core = asyncio.Lock()  # they flush one after the other: what is ready is delivered meanwhile
        self._held = Held()
        self._next: dict[tuple[str, int], int] = {}  # topic, partition -> number of the chunk that comes next
        self._leaving = asyncio.Event()  # partitions are going, or gone
        self._turn = asyncio.Lock()
        self._apart, self._under_way = apart, dict[int, asyncio.Task[None]]()  # partition -> its delivery
        self._began: dict[int, float] = {}  # partition -> when its delivery began, of the loop's clock
        self.held_up: frozenset[int] = frozenset()  # partitions of which no more is taken for now
        self._deliveries = 0
        self._failure: Exception | None = None  # of a delivery
        self._wanted = asyncio.Event()
        self._touched: set[int] = set()  # partitions that were folded since their last flush
        self._looked_at = 0.0  # of the loop's clock: when all partitions were looked at
        self._sealed_at: dict[int, float] = {}  # of the loop's clock

    async def run(self, stream: Any, learn: Callable[[Chunk], Awaitable[None]] = _readable) -> None:
        """Be the body of the stage's agent. `learn` returns when a chunk can be folded without asking anybody."""
        events: AsyncIterable[Any] = stream.noack().events()
        async for event in events:
            chunk: Chunk = event.value
            generation = event.message.generation_id
            if self.ownership.owned_in(generation):
                await learn(chunk)
                while flushing := self._flushing.get(chunk.partition):
                    await flushing.wait()
            if not self.ownership.owned_in(generation):
                continue  # comes again to the next owner
            source = chunk.topic, chunk.partition
            if chunk.number not in (0, self._next.get(source, 0)):
                self.start_over(f"a chunk of {chunk.topic} {chunk.partition} was lost before {chunk.number}")
                continue
            self._next[source] = chunk.number + 1
            taken, last, since = len(chunk.records), -1, None
            if chunk.records:
                last, since = chunk.records[-1].offset, chunk.records[0].timestamp
            try:
                self._refusals.note(taken, self._core(chunk.partition).fold(chunk))
            except BaseException:
                self._fail()
                raise
            self._chunks.observe(taken)
            size = sum([len(record.value or b"") for record in chunk.records])
            del chunk
            event.value = event.message.value = None  # acknowledging needs no records: let go of them
            self._held.add(HeldChunk(event, *source, last, taken, size, since))
            self._touched.add(source[1])
            self._wanted.set()
            self._folded()
            while self._holds_enough:
                self.full = True
                await self.flush()
                if self._holds_enough:
                    await _wait(self._wanted, 1.0)
            self.full = False

    @property
    def _holds_enough(self) -> bool:
        return self._held.records > self._hold or self._held.bytes > self.hold_bytes

    async def keep_flushing(self) -> None:
        """Flush at the interval, for ever; also when input is quiet, because windows close by time too."""
        loop = asyncio.get_running_loop()
        prompt = self._eager or self._interval == 0
        while True:
            left = self._due() - loop.time()
            if prompt:
                await _wait(self._wanted, left)
            elif left > 0:
                await asyncio.sleep(left)
            if prompt and self._apart:
                await self._flush_at_once()
            else:
                await self.flush(seal=self._interval == 0 or loop.time() >= self._due())

    def _due(self) -> float:
        """Return when to look at all partitions next, and seal them.

        A stage that holds nothing does it with all others of its kind, and a bit early.
        """
        interval = self._interval or LOOK_INTERVAL
        due = self._looked_at + interval
        together = due - due % interval if not self._held.records else due
        return together if together > self._looked_at + interval / 10 else due

    async def flush(self, *, seal: bool = True) -> None:
        """Write what the cores have, and (sealing) acknowledge the chunks folded until now."""
        async with self._turn:
            if self._apart:
                await self._together(self._young())
            if seal:
                self._looked_at = asyncio.get_running_loop().time()
            if not self._may_flush():
                return
            now, cores = self._now(), self.cores
            if self._apart:
                await self._together(await self._begin_all(list(cores), lambda _partition: seal))
                self._raise_failure()
                return
            self._touched -= cores.keys()
            held = self._held.take(cores) if seal else {}
            flushes = {partition: core.flush(now, seal=seal) for partition, core in cores.items()}
            tell(self.name, flushes.values())
            await self._write(cores, flushes, held)

    async def _flush_at_once(self) -> None:
        """Begin to write what folded partitions have; no delivery is waited for, so that none stands behind another.

        At times it is all partitions: windows close by time, too. One that is under way then is sealed when it is not.
        """
        async with self._turn:
            time, look = asyncio.get_running_loop().time(), False
            if time >= self._due():
                self._looked_at, look = time, True
            if self._may_flush():
                partitions = list(self.cores) if look else self._touched & self.cores.keys()
                await self._begin_all(partitions, lambda partition: look or self._seals_by(partition, time))
                self._raise_failure()

    def _seals_by(self, partition: int, time: float) -> bool:
        return time >= self._sealed_at.setdefault(partition, time) + self._interval

    def _may_flush(self) -> bool:
        self._raise_failure()
        self._wanted.clear()
        if self.ownership.may_write:
            self._hold_up()
            return True
        return False

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _begin_all(self, partitions: Collection[int], seals: Callable[[int], bool]) -> list[asyncio.Task[None]]:
        """Begin to flush each of them by itself, in slices. Returns their deliveries."""
        now, cores, writing = self._now(), self.cores, list[asyncio.Task[None]]()
        async for some in in_slices(partitions):
            if self.cores is not cores or not self.ownership.may_write:
                break  # they went meanwhile
            writing += self._begin(cores, some, now, seals)
        return writing

    async def _flush_in_slices(
        self, cores: Mapping[int, Core[F]], partition: int, steps: Steps[F], held: Taken
    ) -> None:
        try:
            async with self._one_core:
                self._flushing.setdefault(partition, asyncio.Event())
                flush = await sliced(steps)
        except BaseException:
            self._fail()
            raise
        finally:
            if (flushing := self._flushing.pop(partition, None)) is not None:
                flushing.set()
        if self.cores is cores and self.ownership.may_write:
            await self._write_apart(cores, partition, flush, held)

    async def _write_apart(self, cores: Mapping[int, Core[F]], partition: int, flush: F, held: Taken) -> None:
        tell(self.name, [flush])
        self._began[partition] = asyncio.get_running_loop().time()
        await self._write(cores, {partition: flush}, held)

    def _begin(
        self, cores: Mapping[int, Core[F]], partitions: Iterable[int], now: float, seals: Callable[[int], bool]
    ) -> list[asyncio.Task[None]]:
        """Begin to flush each of `partitions` by itself that is not being delivered.

        One of which nothing was folded has mostly nothing to write: then it needs no task.
        """
        free = [partition for partition in partitions if partition not in self._under_way]
        for partition in free:
            core, seal = cores[partition], seals(partition)
            own = self._held.take((partition,)) if seal else {}
            if seal:
                self._sealed_at[partition] = asyncio.get_running_loop().time()
            quiet = partition not in self._touched and not own
            self._touched.discard(partition)
            in_steps: Callable[..., Steps[F]] | None = getattr(core, "flushing", None)  # see `FlushedInSteps`
            if in_steps is None:
                flush: F | None = core.flush(now, seal=seal)
            else:
                steps = in_steps(now, seal=seal)
                flush = self._first_step(partition, steps) if quiet else None
            if flush is None:
                writing = self._flush_in_slices(cores, partition, steps, own)
            elif quiet and not flush:
                tell(self.name, [flush])
                continue
            else:
                writing = self._write_apart(cores, partition, flush, own)
            task = self._under_way[partition] = asyncio.create_task(writing)
            task.add_done_callback(partial(self._written, partition))
        return [self._under_way[partition] for partition in free if partition in self._under_way]

    def _first_step(self, partition: int, steps: Steps[F]) -> F | None:
        """Return what is to be written, if one step says it; otherwise nothing is folded before the others are done."""
        try:
            next(steps)
        except StopIteration as done:
            flush: F = done.value
            return flush
        except BaseException:
            self._fail()
            raise
        self._flushing[partition] = asyncio.Event()
        return None

    async def _together(self, writing: Collection[asyncio.Task[None]]) -> None:
        if writing:
            await asyncio.wait(writing, timeout=TOGETHER)

    def _young(self) -> list[asyncio.Task[None]]:
        """Return deliveries that others may wait for: what takes longer holds up its own partition alone."""
        old = self.unwritten(TOGETHER)
        return [task for partition, task in self._under_way.items() if partition not in old]

    def _written(self, partition: int, task: asyncio.Task[None]) -> None:
        del self._under_way[partition]
        self._began.pop(partition, None)
        self.held_up -= {partition}
        if partition in self._touched:
            self._wanted.set()
        if not task.cancelled() and isinstance(failure := task.exception(), Exception):
            self._failure = failure
            self._wanted.set()

    async def _write(self, cores: Mapping[int, Core[F]], flushes: Mapping[int, F], held: Taken) -> None:
        if any(flushes.values()):
            self._deliveries += 1
            try:
                await self._deliver(flushes)
            except WithdrawnError:
                return
            except SuspendedError as suspended:
                self.start_over(str(suspended))
                return
            except BaseException as failure:
                if self.ownership.state is State.LOST and isinstance(failure, Exception):
                    return  # it was given up on purpose
                self._fail()
                raise
            finally:
                self._deliveries -= 1
        if self.cores is cores and self.ownership.may_write:
            now = self._now()
            for chunk in self._held.acknowledge(held, flushes):
                if chunk.since is not None:
                    self._settled.observe(max(0.0, now - chunk.since / 1000))

    def _hold_up(self) -> None:
        self.held_up = frozenset(self.unwritten(PATIENCE))

    def unwritten(self, longer_than: float) -> dict[int, float]:
        """Return for how many seconds partitions have been delivered by themselves, of those that take longer."""
        if not self._began:
            return {}
        now = asyncio.get_running_loop().time()
        taken = {partition: now - began for partition, began in self._began.items()}
        return {partition: seconds for partition, seconds in taken.items() if seconds >= longer_than}

    @property
    def waiting(self) -> bool:
        """Whether nothing may be taken for now, so that a consumer that does not poll is nothing wrong."""
        return self.full or (self.delivering and not self._apart)

    @property
    def unacknowledged(self) -> float:
        """For how many seconds something is held and nothing was acknowledged."""
        return self._held.seconds

    @property
    def delivering(self) -> bool:
        """Whether something is being delivered, or waits for those who take it."""
        return self._deliveries > 0

    def wake(self) -> None:
        """Flush soon: a core has something to write that did not come from folding."""
        self._looked_at = 0.0
        self._wanted.set()

    async def pause(self, seconds: float) -> None:
        """Sleep between two tries to deliver. Raises WithdrawnError when there is no use in trying again."""
        await _wait(self._leaving, seconds)
        if self._leaving.is_set():
            raise WithdrawnError

    async def drain(self, deadline: float) -> None:
        """Flush for the last time before partitions go; nothing is loaded, folded or written after it.

        Raises:
            DrainError: not done within `deadline` seconds. The process must end: what is queued must not be
                published after the next owner has begun.
        """
        owned = self.ownership.draining()
        self._leaving.set()
        try:
            async with asyncio.timeout(deadline):
                if owned:
                    await self._settle()
                for _ in range(2):  # what is under way cannot be flushed before it has ended
                    if not owned or self.blocked is not None:
                        break
                    await self.flush()
                    if not self._under_way:
                        break
                    await self._ended()
                await self._ended()
        except TimeoutError:
            raise DrainError(f"{self.name}: what was folded could not be written in {deadline} s") from None
        finally:
            self.ownership.drained()
            self.forget()

    async def _ended(self) -> None:
        """Wait until what is under way has ended."""
        async with self._turn:
            while self._under_way:
                await asyncio.wait(self._under_way.values())

    def _fail(self) -> None:
        """Fold and write nothing more: the process is about to end, and what it folded comes again."""
        self.ownership.ended()
        self.forget()

    def start_over(self, reason: str) -> None:
        """Drop partitions that may be another worker's, and ask anew: what was not acknowledged comes again."""
        if not self.ownership.lost():
            return
        log.warning("starting over from what is stored", stage=self.name, reason=reason)
        self._leaving.set()
        self.forget()
        self._rejoin()

    def begin(self, generation: object) -> None:
        """Drop what is in memory, for partitions that were just assigned in `generation`."""
        self.ownership.assigned(generation)
        self._assigned_at = self._now()
        self._leaving.clear()
        self.forget()

    def forget(self) -> None:
        """Drop what is in memory: what is stored counts, when partitions come."""
        self.blocked, self._next = None, {}
        self.cores, self._held, self._taken_up = {}, Held(), None
        self._touched, self._sealed_at = set(), {}

    async def take_up(self, generation: object) -> None:
        """Make what `resume` needs for the partitions that were assigned in `generation`, in slices.

        Nothing of it is in use before: what fails here fails there again.
        """
        if self.ownership.state is not State.ASSIGNED or self.ownership.generation != generation:
            return
        cores, until = {}, 0.0
        try:
            for partition, stored in (await _sliced(self._load())).items():
                cores[partition] = await _sliced(self._make(partition, stored))
                until = await others_turn(until)  # many partitions with little each are long work, too
        except Exception:  # noqa: BLE001 - said by `resume`
            return
        if self.ownership.state is State.ASSIGNED and self.ownership.generation == generation:
            self._taken_up = generation, cores

    def resume(self, generation: object = None) -> None:
        """Take up the state of the partitions that were assigned in `generation`, if they are still ours."""
        if self.ownership.recovered(generation):
            if self._taken_up is not None and self._taken_up[0] == generation:
                self.cores, self._taken_up = self._taken_up[1], None
            else:
                try:
                    self._take_up()
                except BaseException:
                    self._fail()
                    raise
            RECOVERY.labels(self.name).set(self._now() - self._assigned_at)

    def _take_up(self) -> None:
        self.cores = {
            partition: _at_once(self._make(partition, stored)) for partition, stored in _at_once(self._load()).items()
        }

    def _core(self, partition: int) -> Core[F]:
        if not self.cores and self.ownership.state is State.ALONE:
            self._take_up()
        core = self.cores.get(partition)
        if core is None:
            core = self.cores[partition] = _at_once(self._make(partition, {}))
        return core


async def _sliced(made: T | Steps[T]) -> T:
    return await sliced(made) if isinstance(made, Generator) else made


def _at_once(made: T | Steps[T]) -> T:
    return finish(made) if isinstance(made, Generator) else made


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
    except TimeoutError:
        pass
