"""The law of batches: whatever is killed, at whatever moment, each message reaches the CRM once or under one key."""

from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.envelope import Consumed
from streams.runtime.refusal_limit import RefusalLimit
from streams.stages.crm.batches import Batch, Batches, Due, Policy
from streams.stages.crm.calls import BatchCalls
from tests.streams.stages.crm.messages import NINE, chunk, decode, message, record
from tests.support.kill_law import Broker, dead_offsets

WAIT = 30.0


class KilledError(BaseException):
    """The process is no more."""


@dataclass
class World(Broker):
    """What survives a kill: the topic, the changelog, the dead letters, what is committed, and the CRM."""

    bad: set[str] = field(default_factory=set)  # what the CRM refuses
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # key, external ids
    taken: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what a CRM that honours keys has, in order
    in_doubt: set[str] = field(default_factory=set)  # what was in a batch that was under way at a kill

    @property
    def dead(self) -> set[int]:
        return dead_offsets(self.published)

    def post(self, batch: Batch) -> str | None:
        ids = tuple(str(row["external_id"]) for row in batch.rows)
        self.calls.append((batch.key, ids))
        if self.bad.intersection(ids):
            return "422 no"
        assert self.taken.setdefault(batch.key, ids) == ids
        return None


@dataclass
class Life:
    """One life of a worker, which ends at its `die`th moment at the latest."""

    world: World
    size: int
    now: float
    die: int | None
    held: list[int] = field(default_factory=list)  # last offsets of chunks that are not acknowledged

    def __post_init__(self) -> None:
        policy = Policy(size=self.size, wait=WAIT)
        self.core = Batches(3, dict(self.world.changelog), policy=policy, decode=decode)
        self.position = self.world.committed
        self.under_way: Batch | None = None
        self.unsealed: Batch | None = None  # it was answered, and the changelog does not know yet
        self.calls = BatchCalls(
            self.post,
            refusals=RefusalLimit(1.0, "test"),
            answered=lambda: None,
            rejoin=lambda: None,
            crash=_crash,
            patience=1.0,
        )

    def moment(self) -> None:
        if self.die == 0:
            for batch in filter(None, (self.under_way, self.unsealed)):
                self.world.in_doubt |= {str(row["external_id"]) for row in batch.rows}
            raise KilledError
        if self.die is not None:
            self.die -= 1

    def fold(self, count: int) -> None:
        if records := self.world.log[self.position : self.position + count]:
            self.core.fold(chunk(*records))
            self.position += len(records)
            self.held.append(records[-1].offset)

    def flush(self, passed: float, meanwhile: int) -> None:
        self.now += passed
        acknowledged = list(self.held)
        flush = self.core.flush(self.now, seal=True)
        self.fold(meanwhile)
        self.moment()
        for output in flush.outputs:
            self.world.publish([output])
            self.moment()
        self.world.store(flush.state + flush.seal)
        self.unsealed = None
        self.moment()
        self.acknowledge(acknowledged, flush)
        self.moment()
        if flush.batch is not None:
            assert self.under_way is None, "a batch of a partition waits for the one before"
            self.under_way = flush.batch

    def acknowledge(self, held: list[int], flush: Due) -> None:
        reached = None if flush.reached is None else next(iter(flush.reached.values()))
        for last in held:
            if reached is None or last <= reached:
                self.held.remove(last)
                self.world.committed = last + 1

    def answer(self) -> None:
        if self.under_way is not None:
            drive(self.calls._call(self.core, self.under_way))
            self.under_way, self.unsealed = None, self.under_way

    async def post(self, batch: Batch) -> str | None:
        self.moment()
        words = self.world.post(batch)
        self.moment()
        return words


async def _crash(failure: BaseException) -> None:
    raise failure


def drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


@dataclass(frozen=True)
class Round:
    fold: int
    passed: float  # seconds, before the flush
    meanwhile: int  # folded while the flush is delivered
    answer: bool


rounds = st.builds(Round, st.integers(0, 7), st.sampled_from([0.0, 10.0, WAIT]), st.integers(0, 3), st.booleans())
lives = st.lists(st.tuples(st.lists(rounds, max_size=10), st.integers(0, 30), st.integers(1, 4)), max_size=5)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Consumed], set[str]]:
    """A partition of messages from up to three raw partitions, some published again by a killed stage before."""
    raws = draw(st.integers(1, 3))
    unreadable = draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=6))
    bad = draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=5))
    following = [0] * raws
    log: list[Consumed] = []
    for raw, back in draw(
        st.lists(st.tuples(st.integers(0, raws - 1), st.sampled_from([0] * 6 + [1, 4])), max_size=40)
    ):
        following[raw] = max(0, following[raw] - back)
        source = raw, following[raw]
        following[raw] += 1
        value = b"unreadable" if source in unreadable else message(conversation="{}:{}".format(*source))
        log.append(record(len(log), value, source=source, at=NINE + 1000 * len(log)))
    return log, {"{}:{}".format(*source) for source in bad}


def play(life: Life, script: Iterable[Round]) -> None:
    for each in script:
        life.fold(each.fold)
        life.flush(each.passed, each.meanwhile)
        if each.answer:
            life.answer()


@settings(max_examples=300)
@given(logs(), lives)
def test_every_message_reaches_the_crm_once_whatever_is_killed(
    drawn: tuple[list[Consumed], set[str]], killed: list[tuple[list[Round], int, int]]
) -> None:
    log, bad = drawn
    world = World(log, bad=bad)
    now = NINE / 1000
    for script, die, size in killed:
        life = Life(world, size, now, die)
        try:
            play(life, script)
            life.die = 0
            life.moment()
        except KilledError:
            now = life.now + 1.0

    last = Life(world, 3, now, None)
    play(last, [Round(5, WAIT, 0, answer=True)] * (2 * len(log) + 3))

    firsts: dict[str, int] = {}
    unreadable: set[int] = set()
    for each in log:
        if each.value == b"unreadable":
            unreadable.add(each.offset)
        else:
            assert each.value is not None
            firsts.setdefault(decode(each.value).conversation_id, each.offset)
    good = [name for name in firsts if name not in bad]
    assert list(chain.from_iterable(world.taken.values())) == good, "each once, in order"
    assert world.dead - unreadable == {offset for name, offset in firsts.items() if name in bad}
    assert {log[offset].headers for offset in world.dead & unreadable} == {log[offset].headers for offset in unreadable}
    assert world.committed == len(log), "everything is acknowledged in the end"

    repeated = 0
    contents: dict[str, tuple[str, ...]] = {}
    for key, ids in world.calls:
        assert contents.setdefault(key, ids) == ids, "a key comes with the same messages"
    for key, times in Counter(key for key, _ in world.calls).items():
        if times > 1:
            repeated += 1
            assert world.in_doubt.issuperset(contents[key]), "only a batch under way at a kill is repeated"
    event(f"repeated calls: {min(repeated, 3)}")
    event(f"kills: {len(killed)}")
