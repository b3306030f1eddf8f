"""The kill law: a core dies at every write, comes back, and what it has published is what a plain reading says.

    LAW = KillLaw(lambda stored: Guests(4, stored, ...), topic=GUEST_MESSAGES.name, partition=4, eager=True)

    @given(logs(), steps(eager=True))
    def test_…(log, script):
        broker = LAW.run(log, script)                # killed wherever the script says
        assert by_source(broker.published) == …      # the rule, written plainly over the log

    def test_…():
        for broker in LAW.at_every_write(LOG): …     # each write once, nothing left to chance

A changelog is one ordered log, so a kill leaves a prefix of it. Outputs go to several partitions, so any part of them
may have arrived. Offsets are committed after the seal, or a little later.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

from schemas.dead_letters import DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from schemas.topics import DEAD_LETTERS
from streams.core.contract import Change, Chunk, Core, Flush

START = 1_795_250_400.0  # seconds since the epoch: when the first life begins
ALL = -1  # as a bit mask


@dataclass(frozen=True)
class Kill:
    """A kill in the middle of writing a flush.

    Args:
        progress: writes that are done: each change of the state, all outputs together, each change of the seal.
        arrived: bit mask of the outputs that have arrived when the kill comes among them.
        uncommitted: acknowledgements, the last ones, whose offsets are not committed.
    """

    progress: int
    arrived: int = ALL
    uncommitted: int = 0


@dataclass(frozen=True)
class Step:
    """What a life does next: fold, flush `passed` seconds later, fold `meanwhile` the flush is written, maybe die."""

    fold: int
    passed: float = 1.0
    seal: bool = True
    meanwhile: int = 0
    kill: Kill | None = None


def steps(*, eager: bool = False, passed: Iterable[float] = (0.0, 1.0, 20.0, 40.0)) -> st.SearchStrategy[list[Step]]:
    """Return scripts; of `eager` stages some flushes publish only."""
    kills = st.builds(Kill, st.integers(0, 12), st.integers(0, 255), st.integers(0, 2))
    seals = st.sampled_from([True, True, False]) if eager else st.just(value=True)
    step = st.builds(
        Step, st.integers(0, 7), st.sampled_from(list(passed)), seals, st.integers(0, 3), st.none() | kills
    )
    return st.lists(step, max_size=14)


@dataclass
class Broker:
    """What survives a kill: the topic that is read, the changelog, what was published, what was committed."""

    log: list[Consumed]
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    published: list[Outgoing] = field(default_factory=list)
    committed: int = 0

    def store(self, changes: Iterable[Change]) -> None:
        """Write to the changelog, as compaction leaves it."""
        for change in changes:
            if change.value is None:
                self.changelog.pop(change.key, None)
            else:
                self.changelog[change.key] = change.value

    def publish(self, outputs: Iterable[Outgoing]) -> None:
        """Write to the other topics."""
        self.published += outputs


class Life:
    """One life of a worker, from its start to its kill."""

    def __init__(self, broker: Broker, core: Core[Flush], topic: str, partition: int, now: float) -> None:
        self.broker, self.core, self.now = broker, core, now
        self._topic, self._partition = topic, partition
        self.position = broker.committed
        self._acknowledged: list[int] = []

    def fold(self, count: int) -> None:
        """Fold the next records of the log, as far as there are some."""
        records = self.broker.log[self.position : self.position + count]
        if records:
            self.core.fold(Chunk(self._topic, self._partition, records))
            self.position += len(records)

    def flush(self, step: Step) -> Flush:
        """Take a flush, and write it; or a part of it, and be no more."""
        self.now += step.passed
        upto = self.position
        flush = self.core.flush(self.now, seal=step.seal)
        self.fold(step.meanwhile)
        if step.kill is None:
            self.broker.store(flush.state)
            self.broker.publish(flush.outputs)
            self.broker.store(flush.seal)
            if step.seal:
                self._acknowledged.append(upto)
        else:
            self._die(flush, upto if step.seal else None, step.kill)
        return flush

    def commit(self, uncommitted: int = 0) -> None:
        """Commit what was acknowledged, but for the last `uncommitted`."""
        committed = self._acknowledged[: len(self._acknowledged) - uncommitted]
        self.broker.committed = committed[-1] if committed else self.broker.committed

    def _die(self, flush: Flush, upto: int | None, kill: Kill) -> None:
        state, progress = len(flush.state), kill.progress % writes(flush)
        self.broker.store(flush.state[:progress])
        if progress > state:
            sealed = progress - state - 1
            self.broker.publish(o for i, o in enumerate(flush.outputs) if sealed or kill.arrived >> i & 1)
            self.broker.store(flush.seal[:sealed])
            if sealed == len(flush.seal) and upto is not None and (sealed or not flush.outputs):
                self._acknowledged.append(upto)
        self.commit(kill.uncommitted)


def writes(flush: Flush) -> int:
    """Return at how many moments a kill leaves something different: see `Kill.progress`."""
    return len(flush.state) + len(flush.seal) + 2


class KillLaw:
    """The law for one kind of core.

    Args:
        core: makes one from what is stored.
        topic: that it reads.
        partition: of it.
        eager: whether the stage publishes before it seals.
        last: seconds to pass before each of the flushes that end a run.
    """

    def __init__(
        self,
        core: Callable[[dict[bytes, bytes]], Core[Flush]],
        *,
        topic: str,
        partition: int = 0,
        eager: bool = False,
        last: Iterable[float] = (1.0,),
    ) -> None:
        self._core, self._topic, self._partition = core, topic, partition
        self._eager, self._last = eager, tuple(last)

    def life(self, broker: Broker, now: float | None = None) -> Life:
        """Begin a life from what survived."""
        core = self._core(dict(broker.changelog))
        return Life(broker, core, self._topic, self._partition, START if now is None else now)

    def run(self, log: list[Consumed], script: Iterable[Step] = ()) -> Broker:
        """Go through `script`, then take all that is left."""
        broker = Broker(log)
        life = self.life(broker)
        for step in script:
            life.fold(step.fold)
            life.flush(step)
            if step.kill is not None:
                life = self.life(broker, life.now)
        self._end(life)
        return broker

    def at_every_write(self, log: list[Consumed], *, fold: int = 3, meanwhile: int = 1) -> Iterator[Broker]:
        """Yield what survives of a run for every write at which it can be killed, folding `fold` records a flush."""
        script: list[Step] = []
        for _ in range(-(-len(log) // (fold + meanwhile)) + 1):
            for seal in (False, True) if self._eager else (True,):
                step = Step(fold, seal=seal, meanwhile=meanwhile)
                for kill in self._kills(log, script, step):
                    yield self.run(log, [*script, Step(fold, seal=seal, meanwhile=meanwhile, kill=kill)])
                script.append(step)

    def with_late_writes(
        self, log: list[Consumed], script: Iterable[Step], folded: int, before: Iterable[Step] = (), *, seal: bool
    ) -> Broker:
        """Run while a worker that was given up for dead writes in the end what it had queued of `folded` records.

        That is the `seal`, of what had been written and published by then; or else the state, and it publishes nothing
        any more. What it did `before` had been written. Each worker writes under keys of its own, the newest count:
        `streams.runtime.state.TableState`.
        """
        broker = Broker(log)
        suspended = self.life(broker)
        for step in before:
            suspended.fold(step.fold)
            suspended.flush(Step(step.fold, step.passed, step.seal))
        suspended.commit()
        suspended.fold(folded)
        late = suspended.core.flush(suspended.now, seal=True)
        if seal:
            broker.store(late.state)
            broker.publish(late.outputs)
        life, newer = self.life(broker), dict[bytes, bytes | None]()
        for step in script:
            life.fold(step.fold)
            flush = life.flush(Step(step.fold, step.passed, step.seal))
            newer |= {change.key: change.value for change in (*flush.state, *flush.seal)}
        life.commit()
        broker.store(change for change in (late.seal if seal else late.state) if newer.get(change.key) is None)
        self._end(self.life(broker, life.now))
        return broker

    def _kills(self, log: list[Consumed], script: list[Step], step: Step) -> Iterator[Kill]:
        broker = Broker(log)
        life = self.life(broker)
        for before in script:
            life.fold(before.fold)
            life.flush(before)
        life.fold(step.fold)
        flush = life.core.flush(life.now + step.passed, seal=step.seal)
        for progress in range(writes(flush)):
            yield Kill(progress, arrived=0)
            if progress == len(flush.state) + 1:
                yield from (Kill(progress, arrived=1 << i) for i in range(len(flush.outputs)))
            yield Kill(progress, uncommitted=1)

    def _end(self, life: Life) -> None:
        life.fold(len(life.broker.log))
        for passed in self._last:
            life.flush(Step(0, passed))
        life.commit()


def by_source(published: Iterable[Outgoing]) -> dict[bytes, Outgoing]:
    """Return what became of each record, by its source position, or of dead letters by what they point at.

    Raises AssertionError when one record had two outcomes.
    """
    found: dict[bytes, Outgoing] = {}
    for output in published:
        headers = dict(output.headers)
        source = headers[DEAD_SOURCE if output.topic == DEAD_LETTERS.name else SOURCE_POSITION]
        assert found.setdefault(source, output) == output, f"{source!r} had two outcomes"
    return found


def dead_offsets(published: Iterable[Outgoing]) -> set[int]:
    """Return the offsets of the records that became dead letters."""
    dead = (output for output in published if output.topic == DEAD_LETTERS.name)
    return {int(dict(output.headers)[DEAD_SOURCE].rsplit(b":", 1)[1]) for output in dead}


def upserts(published: Iterable[Outgoing], topic: str) -> dict[bytes | None, bytes | None]:
    """Return what a compacted topic holds in the end: {key: last value}."""
    return {output.key: output.value for output in published if output.topic == topic}
