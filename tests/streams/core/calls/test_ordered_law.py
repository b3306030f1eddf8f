"""Calls under any interleaving of records, answers, waiting and kills: each made in order, and once but for kills."""

from collections import Counter, defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas.dead_letters import DEAD_REASON, DEAD_SOURCE
from schemas.envelope import SOURCE_POSITION, Consumed, Outgoing
from streams.core.calls.job import Done, Failed, Job, Outcome, Tiers
from streams.core.calls.ordered import PARKED, SLOW, TOO_MANY, Calls
from streams.core.contract import Change, Chunk, Refused
from streams.core.taken import source_position
from tests.support.kill_law import Broker

TOPIC, RESULTS = "asked", "results"
TIERS = Tiers(("retry.1", "retry.2"), (2000, 4000), attempts=3)
SOURCES = (TOPIC, *TIERS.topics)
KEYS = "ab"

Message = tuple[int, int]  # its source position


def read(value: bytes) -> tuple[str, bytes]:
    return value[:1].decode(), value


class Killed(Exception):
    """The process, in the middle of writing."""


class OnePartition(RuleBasedStateMachine):
    """A partition of the asked topic and of the tiers, with a broker and a callee that live through every kill."""

    tiers = TIERS
    most = 1000

    @initialize()
    def begin(self) -> None:
        self.now = 0
        self.logs: dict[str, list[Consumed]] = {topic: [] for topic in SOURCES}
        self.committed = dict.fromkeys(SOURCES, 0)
        self.broker = Broker([])  # its changelog
        self.raw: dict[int, list[Consumed]] = {0: [], 1: []}
        self.results: list[Message] = []
        self.dead: Counter[Message] = Counter()
        self.taken: list[Message] = []  # by the callee, each time
        self.calls: Counter[Message] = Counter()
        self.unsealed: dict[Message, str] = {}  # how it was answered, which no seal remembers yet
        self.repeats: dict[str, Counter[Message]] = {"taken": Counter(), "dead": Counter(), "calls": Counter()}
        self.gone: dict[str, set[int]] = {topic: set() for topic in SOURCES}  # offsets, before they were read
        self.missing: set[Message] = set()  # whose records are among them
        self.start_life()

    def start_life(self) -> None:
        self.now += 1
        self.core: Calls[bytes] = Calls(
            0, dict(self.broker.changelog), stage="test", topic=TOPIC, tiers=self.tiers, read=read, most=self.most
        )
        self.at = dict(self.committed)
        self.under_way: list[Job[bytes]] = []

    # What the world does

    @rule(raw=st.integers(0, 1), key=st.sampled_from(KEYS))
    def ask(self, raw: int, key: str) -> None:
        number = len(self.raw[raw])
        record = Consumed(
            0, f"{key}{raw}{number}".encode(), key.encode(), ((SOURCE_POSITION, b"%d:%d" % (raw, number)),)
        )
        self.raw[raw].append(record)
        self.append(TOPIC, record)

    @rule(raw=st.integers(0, 1), last=st.integers(1, 4))
    def ask_again(self, raw: int, last: int) -> None:
        """The stage before was killed: what it published last comes again, in order."""
        for record in self.raw[raw][-last:]:
            self.append(TOPIC, record)

    def append(self, topic: str, record: Consumed | Outgoing) -> None:
        log = self.logs[topic]
        log.append(Consumed(len(log), record.value, record.key, tuple(record.headers), self.now))

    @rule(ms=st.sampled_from([1, 500, 2000, 4000, SLOW]))
    def wait(self, ms: int) -> None:
        self.now += ms

    # What the process does

    @rule(topic=st.sampled_from(SOURCES), records=st.integers(1, 4))
    def fold(self, topic: str, records: int) -> None:
        if topic not in (TOPIC, *self.tiers.topics):
            return
        chunk = self.logs[topic][self.at[topic] : self.at[topic] + records]
        self.at[topic] += len(chunk)
        self.core.fold(Chunk(topic, 0, [record for record in chunk if record.offset not in self.gone[topic]]))

    @rule(room=st.integers(1, 3), later=st.sampled_from([0, 2000, 4000]))
    def turn(self, room: int, later: int) -> None:
        self.now += later
        for topic in SOURCES:
            self.fold(topic, 10)
        self.start(room)

    @rule(room=st.integers(1, 3))
    def start(self, room: int) -> None:
        jobs = self.core.start(self.now, room)
        assert len(jobs) <= room
        self.under_way += jobs
        busy = [job.key for job in self.under_way]
        assert len(busy) == len(set(busy)), "two calls of one key at the same time"
        self.calls.update(job.source for job in jobs)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), how=st.sampled_from(["done", "done", "failed", "failed", "refused", "withdrawn"]))
    def answer(self, data: st.DataObject, how: str) -> None:
        job = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if how == "withdrawn":
            self.calls[job.source] -= 1
            self.core.release(job)
        else:
            self.finish(job, how)

    def finish(self, job: Job[bytes], how: str) -> None:
        outcome: Outcome = Failed("500")
        if how == "done":
            self.taken.append(job.source)
            outcome = Done((Outgoing(RESULTS, job.record.key, job.record.value, job.headers()),))
        elif how == "refused":
            outcome = Refused("400", "no such queue")
        given_up = how == "failed" and job.attempt == TIERS.attempts
        self.unsealed[job.source] = "taken" if how == "done" else "dead" if how == "refused" or given_up else "calls"
        self.core.finish(job, outcome, self.now)

    @rule(writes=st.none() | st.integers(0, 6))
    def flush(self, writes: int | None) -> None:
        """Write everything; or be killed after so many writes."""
        flush = self.core.flush(self.now / 1000)
        for output in flush.outputs:
            if dict(output.headers).get(DEAD_REASON) == TOO_MANY.encode():
                self.unsealed[source_position(Consumed(0, None, None, tuple(output.headers)))] = "dead"
        steps: list[Any] = [*flush.outputs, *flush.seal]
        for step in steps if writes is None else steps[:writes]:
            self.write(step)
        if writes is not None and writes < len(steps):
            self.kill()
            return
        self.unsealed.clear()
        self.committed.update({topic: offset + 1 for topic, offset in (flush.reached or {}).items()})

    def write(self, step: Any) -> None:
        if not isinstance(step, Outgoing):
            self.broker.store([step])
        elif step.topic in TIERS.topics:
            assert step.partition == 0
            self.append(step.topic, step)
        else:
            source = source_position(Consumed(0, None, None, tuple(step.headers)))
            if step.topic == RESULTS:
                self.results.append(source)
            else:
                assert dict(step.headers)[DEAD_SOURCE].startswith(b"asked:0:")
                self.dead[source] += 1

    @rule()
    def kill(self) -> None:
        for message, how in self.unsealed.items():
            self.repeats[how][message] += 1
            if how != "calls":
                self.repeats["calls"][message] += 1
        self.repeats["calls"].update(job.source for job in self.under_way)
        self.unsealed.clear()
        self.start_life()

    # What must be true

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        for job in self.under_way:
            self.finish(job, "done")
        self.under_way = []
        for _ in range(300):
            for topic in SOURCES:
                self.fold(topic, 1000)
            for job in self.core.start(self.now, 1000):
                self.calls[job.source] += 1
                self.finish(job, "done")
            self.flush(None)
            self.now += 1000
            if all(self.committed[topic] >= self.end(topic) for topic in SOURCES):
                break
        else:
            raise AssertionError(f"something is never settled: {self.committed}")
        asked = {(raw, number) for raw, records in self.raw.items() for number in range(len(records))}
        settled = set(self.results) | set(self.dead)
        assert asked - self.missing <= settled <= asked
        taken, dead = Counter(self.taken), self.dead
        for message in asked:
            assert taken[message] <= 1 + self.repeats["taken"][message], f"{message} was taken {taken[message]} times"
            assert dead[message] <= 1 + self.repeats["dead"][message]
            assert self.calls[message] <= TIERS.attempts + self.repeats["calls"][message]
            if not self.repeats["calls"][message] and message in settled:
                assert (message in dead) != (message in taken)
        assert Counter(self.results) <= taken
        self.in_order()
        assert self.core.parked == 0
        assert all(not key or key == b"" for key in self.broker.changelog), "waiting is remembered for ever"

    def end(self, topic: str) -> int:
        return max((each.offset + 1 for each in self.logs[topic] if each.offset not in self.gone[topic]), default=0)

    def in_order(self) -> None:
        place: dict[Message, tuple[bytes | None, int]] = {}
        for number, record in enumerate(self.logs[TOPIC]):
            place.setdefault(source_position(record), (record.key, number))
        first: dict[bytes | None, list[int]] = defaultdict(list)
        for message in dict.fromkeys(self.taken):
            if self.repeats["dead"][message]:
                continue  # it was refused before the kill, and the next was called
            key, number = place[message]
            first[key].append(number)
        for key, numbers in first.items():
            assert numbers == sorted(numbers), f"a message of {key!r} overtook another: {numbers}"


class CrowdedPartition(OnePartition):
    """The same, where few may wait."""

    most = 2


class DamagedPartition(OnePartition):
    """The same, where records of a tier vanish between two lives, and stored values that were deleted come back."""

    @initialize()
    def remember(self) -> None:
        self.deleted: dict[bytes, bytes] = {}

    def write(self, step: Any) -> None:
        if isinstance(step, Change) and step.value is None and step.key in self.broker.changelog:
            self.deleted[step.key] = self.broker.changelog[step.key]
        super().write(step)

    @rule(lost=st.sets(st.integers(0, 5), max_size=3), back=st.sets(st.sampled_from(KEYS)))
    def kill_and_damage(self, lost: set[int], back: set[str]) -> None:
        """Retention deletes records; a suspended worker's late write brings values back."""
        unread = [(tier, each) for tier in self.tiers.topics for each in self.logs[tier][self.committed[tier] :]]
        for tier, record in (unread[number] for number in lost if number < len(unread)):
            self.gone[tier].add(record.offset)
            self.missing.add(source_position(record))
        for key, value in self.deleted.items():
            source, _, of = key.removeprefix(PARKED).partition(b"|")
            if key.startswith(PARKED) and of.decode() in back and key not in self.broker.changelog:
                self.broker.changelog[key] = value
                raw, _, number = source.partition(b":")
                for repeated in self.repeats.values():  # a copy of it may wait in a tier, and looks like it now
                    repeated[int(raw), int(number)] += 1
        self.kill()

    @rule()
    def fail(self) -> None:
        """Nobody answers: all that is called goes to the tiers."""
        self.turn(3, 0)
        while self.under_way:
            self.finish(self.under_way.pop(), "failed")
        self.flush(None)

    @rule(asked=st.integers(0, 2), read=st.integers(0, 2), passed=st.sampled_from([0, SLOW + 1, 60 * SLOW]))
    def take_over_with_a_backlog(self, asked: int, read: int, passed: int) -> None:
        """A new life reads little of the tiers, and more of what asks for calls."""
        self.kill()
        for records, wait in ((asked, passed), (10, 0)):
            self.fold(TOPIC, records)
            for tier in self.tiers.topics:
                self.fold(tier, read)
            self.start(3)
            self.now += wait

    def teardown(self) -> None:
        if hasattr(self, "core"):
            for key in KEYS:
                self.ask(0, key)  # nobody looks for what blocks nobody
        super().teardown()


class DamagedTier(DamagedPartition):
    """The same with one tier, where it takes little to show that a record is lost."""

    tiers = Tiers(TIERS.topics[:1], TIERS.delays[:1], attempts=3)


TestOnePartition = OnePartition.TestCase
TestOnePartition.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)

TestCrowdedPartition = CrowdedPartition.TestCase
TestCrowdedPartition.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)

TestDamagedPartition = DamagedPartition.TestCase
TestDamagedPartition.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)

TestDamagedTier = DamagedTier.TestCase
TestDamagedTier.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
