"""Calls in order per key, for one partition of a topic and of the retry tiers beside it. Pure: who calls is `runner`.

At-least-once: a call is made again only when the process was killed between its answer and the seal that remembers it,
and then with the same idempotency key. Ordered per key: a record whose key has an earlier one waiting for another
attempt waits behind it, in a retry tier, without using up an attempt; but not behind one that is in no tier any more.

Each record that waits is stored under a key of its own: a flush writes those that changed, however many wait.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import orjson

from schemas.dead_letters import dead_letter
from schemas.envelope import Consumed, Outgoing, Record, size
from streams.core.calls.due import Resting
from streams.core.calls.job import LONGEST_REASON, Done, Failed, Job, Outcome, Tiers, Waiting, story
from streams.core.calls.lost_retries import Awaited
from streams.core.calls.settled import Track
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.taken import PositionError, Source, Taken, source_position

META = b""  # key of the partition's own record
KEY = b"="  # before the keys of calls
PARKED = b"+"  # before "raw partition:raw offset|key" of a record that waits

MOST_WAITING = 1_000
LARGEST = 1_000_000  # bytes of a record in a tier: a broker takes 1,048,588 by default, with what is around records
FORGOTTEN = 500  # keys in a flush, at most
SLOW = 60_000  # ms in which a life has read the tiers, but for a backlog: asking sooner holds messages up for nothing

UNDECODABLE = "undecodable"
GIVEN_UP = "given up"
TOO_MANY = "too many waiting"
TOO_LARGE = "too large"

M = TypeVar("M")
_Parked = dict[Source, Waiting]  # source position -> what it waits for; the first is the one that calls next


class Calls(Generic[M]):
    """What is to be called, under way, waiting and settled.

    Args:
        partition: of the topic and of each tier.
        stored: {key: value} of an earlier life.
        stage: for dead letters.
        topic: of the records that ask for calls; `tiers`, if there are any, are read beside it.
        read: bytes -> (key, message); raises ValueError. Key None: nothing waits behind this record, or before it.
        once: call only for the first record of each key, which is remembered for `remember` milliseconds.
        original: the topic is where its records begin: each stands for itself, and needs no source position.
        most: records of one key that may wait; who comes behind them becomes a dead letter.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        stage: str,
        topic: str,
        tiers: Tiers,
        read: Callable[[bytes], tuple[str | None, M]],
        once: bool = False,
        remember: int = 0,
        original: bool = False,
        most: int = MOST_WAITING,
    ) -> None:
        self._partition, self._stage, self._topic, self._tiers, self._read = partition, stage, topic, tiers, read
        self._once, self._remember, self._original, self._most = once, remember, original, most
        meta = orjson.loads(stored.get(META, b"{}"))
        tracks = meta.get("tracks", {})
        self._tracks = {name: _restored(tracks.get(name)) for name in (topic, *tiers.topics)}
        self._taken = Taken(topic, self._tracks[topic].positions.items(), stage=stage)
        self._parked: dict[str, _Parked] = {}
        self._called: dict[str, int] = {}  # key -> when its first record was
        self._oldest: deque[str] = deque()  # the keys of `_called`, the oldest first
        self._restore(stored)
        self._awaited = Awaited(tiers.topics, ((key, source) for key, all_ in self._parked.items() for source in all_))
        self._began: int | None = None  # ms: the first `start`
        self._queues: dict[str, deque[Job[M]]] = {}
        self._ready: deque[str] = deque()  # keys with a queue and no call under way
        self._busy: set[str] = set()
        self._resting: Resting[M] = Resting()
        self._outputs: list[Outgoing] = []
        self._changed: dict[tuple[str, Source | None], None] = {}  # what waits; without a source, what was called
        self._settled = False  # something, since the last flush
        self.answered = 0  # calls; whoever writes flushes takes off those that are written
        self.lost = 0  # records that stored state waited for and that were in no tier

    @property
    def next_due(self) -> int | None:
        """When (ms) the next waiting record asks for its attempt."""
        return self._resting.next_due

    @property
    def unwritten(self) -> bool:
        """Whether a flush would have something to write."""
        return bool(self._settled or self._outputs)

    @property
    def parked(self) -> int:
        """How many records wait for another attempt, or behind one that does."""
        return sum(map(len, self._parked.values())) + (0 if self._tiers.topics else len(self._resting))

    def fold(self, chunk: Chunk) -> int:
        """Queue the records of a chunk. Returns how many were refused."""
        track, first, refused = self._tracks[chunk.topic], chunk.topic == self._topic, 0
        for record in chunk.records:
            job, bad = None, None
            try:
                source = self._source(record, first=first)
                if source is not None:
                    job = self._job(chunk.topic, record, source)
            except PositionError as error:
                bad = error.refused
            except ValueError as error:
                bad = Refused(UNDECODABLE, str(error))
            if job is not None and first:  # what cannot be read may claim to come from anywhere
                self._taken.positions[job.source[0]] = job.source[1]
            if not track.take(record.offset, job.source if job is not None and first else None):
                continue
            if job is None:
                if bad is not None:
                    refused += 1
                    self._dead(chunk.topic, record, bad)
                self._settle(chunk.topic, record.offset)
            elif first:
                self._awaited.came(job)
                self._enqueue(job)
            else:
                self._rest(job)
        return refused

    def _source(self, record: Record, *, first: bool) -> Source | None:
        """Return where a record came from, None for a replay. Raises PositionError, or ValueError in a tier."""
        if self._original:
            return self._partition, record.offset if first else story(record.headers)[0].offset
        return self._taken.new(record) if first else source_position(record)

    def start(self, now: int, room: int) -> list[Job[M]]:
        """Return calls to make now (ms), `room` at most. Each must be given back: to `finish` or to `release`."""
        self._began = now if self._began is None else self._began
        self._resting.bound(now + max(self._tiers.delays))  # the slowest tier's
        for job in self._resting.take(now):
            if self._tiers.topics:
                self._enqueue(job)
            else:
                self.release(job)
        jobs: list[Job[M]] = []
        while self._ready and len(jobs) < room:
            key = self._ready.popleft()
            following = self._next(key, now)
            if following is not None:
                self._busy.add(key)
                jobs.append(following)
        return jobs

    def finish(self, job: Job[M], outcome: Outcome, now: int) -> None:
        """Take what came of a call."""
        match outcome:
            case Done(outputs):
                self._outputs += outputs
                if self._once:
                    if job.key not in self._called:
                        self._oldest.append(job.key)
                    self._called[job.key] = now
                self._unpark(job)
            case Refused():
                self._given_up(job, outcome)
                self._unpark(job)
            case Failed(reason):
                job.history.append((now, reason[:LONGEST_REASON]))
                if job.attempt < self._tiers.attempts:
                    tier = self._tiers.after(job.attempt)
                    job.attempt += 1
                    if not self._tiers.topics:
                        job.due = now + self._tiers.delays[tier]
                        self._resting.add(job)  # its key stays busy, so that what comes behind it waits
                        return
                    self._park(job, tier, now)
                else:
                    detail = f"{job.attempt} attempts failed, the last one with: {reason[:LONGEST_REASON]}"
                    self._given_up(job, Refused(GIVEN_UP, detail))
                    self._unpark(job)
        self.answered += 1
        self._settle(job.topic, job.record.offset)
        self._free(job.key)

    def release(self, job: Job[M]) -> None:
        """Take back a call that was not made."""
        self._queues[job.key].appendleft(job)
        self._free(job.key)

    def flush(self, now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - what was answered is sealed at once
        """Return what came of calls since the last flush, and what remembers it."""
        self._forget(int(now * 1000))
        flush = Flush(outputs=self._outputs)
        if self._settled or self._changed:
            flush.seal = [
                *(self._stored(key, source) for key, source in self._changed),
                Change(META, self._meta()),
            ]
        flush.reached = {topic: track.front - 1 for topic, track in self._tracks.items()}
        self._outputs, self._changed, self._settled = [], {}, False
        self._taken.tell(flush)
        return flush

    def _job(self, topic: str, record: Record, source: tuple[int, int]) -> Job[M]:
        key, message = self._read(record.value or b"")
        if key is None:
            key = "{}-{}".format(*source)
        if topic == self._topic:
            return Job(key, source, message, record, topic, record.offset)
        (attempt, due, offset), history = story(record.headers)
        return Job(key, source, message, record, topic, offset, attempt, due, history)

    def _rest(self, job: Job[M]) -> None:
        """Let a record that came out of a tier wait until it is due. It may show that others are lost."""
        waits = self._parked.get(job.key, {}).get(job.source)
        if waits is not None and waits.attempt == job.attempt:
            self._awaited.came(job)
        for key, source in self._awaited.came_out(job):
            self._forget_parked(key, source)
            self.lost += 1
        self._resting.add(job)

    def _enqueue(self, job: Job[M]) -> None:
        queue = self._queues.setdefault(job.key, deque())
        queue.append(job)
        if len(queue) == 1 and job.key not in self._busy:
            self._ready.append(job.key)

    def _free(self, key: str) -> None:
        self._busy.discard(key)
        if self._queues[key]:
            self._ready.append(key)
        else:
            del self._queues[key]

    def _next(self, key: str, now: int) -> Job[M] | None:
        """Return the call that comes next for a key; move on whatever is before it and calls for nothing now."""
        queue = self._queues[key]
        while queue:
            job = queue.popleft()
            parked = self._parked.get(key, {})
            waits = parked.get(job.source)
            if job.topic != self._topic and waits is not None:
                job.offset = waits.offset  # its header is a claim, and what is stored settles this offset
            if job.topic != self._topic and (waits is None or waits.attempt != job.attempt):
                pass  # a copy: its call was made, or it waits elsewhere
            elif key in self._called:
                self._unpark(job)
            elif not parked or next(iter(parked)) == job.source:
                return job
            elif waits is None and len(parked) >= self._most:
                self._given_up(job, Refused(TOO_MANY, f"{len(parked)} of its key wait for another attempt already"))
            else:
                self._park(job, self._tier_behind(key, now), now)
            self._settle(job.topic, job.record.offset)
        del self._queues[key]
        return None

    def _tier_behind(self, key: str, now: int) -> int:
        """Return the tier for a record that waits behind the first one of its key.

        If that has not come for long, it is one that shows whether it ever will.
        """
        source, head = next(iter(self._parked[key].items()))
        if (key, source) in self._awaited and self._began is not None and now - self._began > SLOW:
            untried = self._awaited.untried
            if untried is not None:
                return untried
        return self._tiers.for_wait(head.due - now)

    def _park(self, job: Job[M], tier: int, now: int) -> None:
        """Let a record wait in a tier, or give it up where its copy would be larger than a broker takes."""
        topic, due = self._tiers.topics[tier], now + self._tiers.delays[tier]
        copy = job.waiting(topic, self._partition, due)
        if size(copy.key, copy.value, copy.headers) > LARGEST:
            self._given_up(job, Refused(TOO_LARGE, f"to wait, it would have more than {LARGEST} bytes with its story"))
            self._unpark(job)
            return
        self._awaited.sent(job, topic, due)
        self._parked.setdefault(job.key, {})[job.source] = Waiting(job.attempt, due, job.offset)
        self._outputs.append(copy)
        self._changed[job.key, job.source] = None

    def _unpark(self, job: Job[M]) -> None:
        self._forget_parked(job.key, job.source)
        if self._once:
            self._changed[job.key, None] = None

    def _forget_parked(self, key: str, source: Source) -> None:
        parked = self._parked.get(key)
        if parked is None:
            return
        if parked.pop(source, None):
            self._changed[key, source] = None
        if not parked:
            del self._parked[key]

    def _settle(self, topic: str, offset: int) -> None:
        self._tracks[topic].settle(offset)
        self._settled = True

    def _given_up(self, job: Job[M], refused: Refused) -> None:
        record = job.record
        asked = Consumed(job.offset, record.value, record.key, job.headers(), record.timestamp)
        self._dead(self._topic, asked, refused)

    def _dead(self, topic: str, record: Record, refused: Refused) -> None:
        self._outputs.append(
            dead_letter(topic, self._partition, record, stage=self._stage, reason=refused.reason, detail=refused.detail)
        )

    def _forget(self, now: int) -> None:
        """Forget the keys that were remembered long enough, some at a time: after a long stop there may be a million.

        They are taken off a queue: to look for the first key of a dict costs as much as were deleted before it.
        """
        for _ in range(FORGOTTEN):
            if not self._oldest or self._called[self._oldest[0]] > now - self._remember:
                break
            key = self._oldest.popleft()
            del self._called[key]
            self._changed[key, None] = None

    def _meta(self) -> bytes:
        tracks = {
            topic: [track.front, sorted(track.beyond), list(track.positions.items())]
            for topic, track in self._tracks.items()
        }
        return orjson.dumps({"tracks": tracks})

    def _stored(self, key: str, source: Source | None) -> Change:
        if source is None:
            called = self._called.get(key)
            return Change(KEY + key.encode(), None if called is None else orjson.dumps({"called": called}))
        waiting = self._parked.get(key, {}).get(source)
        return Change(_parked_key(key, source), None if waiting is None else orjson.dumps([*waiting]))

    def _restore(self, stored: Mapping[bytes, bytes]) -> None:
        called: list[tuple[int, str]] = []
        parked: list[tuple[int, str, Source, Waiting]] = []
        for stored_key, value in stored.items():
            if stored_key.startswith(KEY):
                called.append((orjson.loads(value)["called"], stored_key.removeprefix(KEY).decode()))
            elif stored_key.startswith(PARKED):
                source, _, of = stored_key.removeprefix(PARKED).partition(b"|")
                raw, _, offset = source.partition(b":")
                waiting = Waiting(*orjson.loads(value))
                parked.append((waiting.offset, of.decode(), (int(raw), int(offset)), waiting))
        called.sort()
        self._called = {key: at for at, key in called}
        self._oldest = deque(self._called)
        for _, key, where, waiting in sorted(parked):
            self._parked.setdefault(key, {})[where] = waiting
        # A kill may have come between writing this and the partition's own record.
        asked = self._tracks[self._topic]
        asked.beyond.update(offset for offset, *_ in parked if offset >= asked.front)


def split(stored: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Migrate state of version 1, where all that waits of one key was one value, to version 2."""
    found: dict[bytes, bytes] = {}
    for stored_key, value in stored.items():
        said = orjson.loads(value) if stored_key.startswith(KEY) else {}
        if "parked" not in said:
            found[stored_key] = value
            continue
        if said["called"] is not None:
            found[stored_key] = orjson.dumps({"called": said["called"]})
        for raw, offset, *waiting in said["parked"]:
            found[_parked_key(stored_key.removeprefix(KEY).decode(), (raw, offset))] = orjson.dumps(waiting)
    return found


def _parked_key(key: str, source: Source) -> bytes:
    return PARKED + b"%d:%d|" % source + key.encode()


def _restored(stored: Any) -> Track:
    front, beyond, positions = stored or (0, (), ())
    return Track(front, beyond, dict(map(tuple, positions)))
