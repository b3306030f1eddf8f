"""A value per key and a row per value, each record counted once whatever is killed.

A flush writes three things, each with the broker before the next (`Flush`):

1. *state*: the number of the flush with the source positions folded in, once; then each changed value, with the number;
2. *rows*: what the changed values make, and dead letters;
3. *seal*: the partition's own record, with the same number: up to where everything is folded in and published. Where
   only event time has moved, that alone is stored, under a key of its own.

A flush that does not seal leaves its seal to the next one, which writes it before its own state: the changelog is the
same, with one wait less for the broker.

A kill leaves a prefix of the changelog. A value whose flush is not sealed is *ahead*: its row may not have been
published, so it is published again as it was stored, and the records that it holds already, up to the positions that
its flush began with, are skipped for it alone when they come again. Numbers are counted in each *life*, the time for
which one worker has the partition: two workers that began with the same state may both write a flush 7. A life begins
by writing the seal that it found: what a worker before it had queued, and comes late, seals nothing of this life.

A value that changes while it is ahead says of which flush it was, too. The positions of a life's unsealed flush stay
until no value is ahead by them, however many lives are cut short.

Rows may be bounded, so many a second. What changed longest ago goes first, and the seal says since which flush rows are
owed: the next life publishes those of all values that are of that flush or a later one.

A value rests as the bytes that are stored of it, which the table holds anyway, until an event changes it: after a
restart, once it has ended, and when nothing has changed it for a while. So as many are awake as change. Of many that
end at once some do so in each flush.

Cost: a place in a list for each value that ends or is forgotten, nothing for values that did not change.
"""

import heapq
import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Generic

import msgspec

from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.event_time import log_time
from streams.core.packed_positions import pack, unpack
from streams.core.rule import E, K, Rule, V
from streams.core.steps import Steps, finish
from streams.core.taken import PositionError, Positions, Taken
from streams.core.times import iso
from streams.core.windows.watermark import BROKERS_APART, Watermark

META = b""  # key of the partition's own record
TIME = b"~"  # key of its event time, where that alone has moved since META was written: positions are many
UNSEALED = b"+"  # with the number of a life: key of the positions of its flush. Keys of values are JSON

UNDECODABLE = "undecodable"
TOO_LATE = "too late"

VERSION = 3  # of what is stored; of before it, positions were pairs in JSON, which are read, too

# A stored value: its life and flush, its latest event time, when it ends, what is so of it (below), how many other
# flushes it is ahead by; those; and then what the rule stores.
_HEADER, _FLUSH = struct.Struct("<QIqqBH"), struct.Struct("<QI")
_NEVER = 2**63 - 1
_RESTS, _PACKED = 1, 2
_WORTH_PACKING = 512  # bytes
_AT_A_TIME = 256  # values that are restored in one step
QUIET = 10.0  # seconds in which nothing changes a value, before it rests; twice that at most
MOST_ENDED = 4_000  # values in a flush: all of them are awake meanwhile

_Of = tuple[int, int]  # life, flush


class _Meta(msgspec.Struct):
    """The partition's own record: the flush that is sealed, and of which life it was.

    `forgotten` is the latest event time (ms) of a value that was forgotten. `unpublished` is the number of the first
    flush of which rows are not published, 0 where there is none.
    """

    life: int = 0
    flush: int = 0
    positions: bytes | list[tuple[int, int]] = b""
    time: dict[str, int] = {}
    forgotten: int = -1
    unpublished: int = 0


class _Unsealed(msgspec.Struct, omit_defaults=True):
    """The flush that a life writes, and all that the values of it hold.

    `before` is the same of the flush before, if that one left its seal to this one. Of a suspended worker that seal may
    come late, after the next life has begun without it: then both are unsealed.
    """

    flush: int
    positions: bytes | list[tuple[int, int]]
    before: "_Unsealed | None" = None


class _Times:
    """Keys by a time that each waits for."""

    def __init__(self) -> None:
        self._keys: dict[int, list[bytes]] = {}
        self._times: list[int] = []  # heap

    def add(self, time: int, key: bytes) -> None:
        keys = self._keys.get(time)
        if keys is None:
            self._keys[time] = [key]
            heapq.heappush(self._times, time)
        else:
            keys.append(key)

    def due(self, time: int) -> Iterator[bytes]:
        """Take out the keys whose time has come, the earliest first. Those that are not asked for stay."""
        while self._times and self._times[0] <= time:
            keys = self._keys[self._times[0]]
            while keys:
                yield keys.pop()
            del self._keys[heapq.heappop(self._times)]


class KeyedRows(Generic[E, K, V]):
    """The values of one partition of the topic that the stage reads.

    Args:
        partition: for dead letters.
        stored: {key: value} of an earlier life.
        rule: of the stage.
        time: a new watermark, which is restored with the values.
        life: a number that no other worker has had, or will have, for this partition.
        rows: a second, that are published at most; None publishes all that changed with each flush.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        rule: Rule[E, K, V],
        time: Watermark,
        life: int,
        rows: float | None = None,
    ) -> None:
        self._partition, self._rule, self._time, self._life = partition, rule, time, life
        meta = msgspec.json.decode(stored.get(META, b"{}"), type=_Meta)
        moved = msgspec.json.decode(stored.get(TIME, b"{}"), type=dict[str, int])
        time.restore({each: max(meta.time.get(each, -1), moved.get(each, -1)) for each in {*meta.time, *moved}})
        self.taken = Taken(rule.declaration.reads.name, unpack(meta.positions).items(), stage=rule.declaration.name)
        self._flush, self._forgotten = meta.flush, meta.forgotten
        self._kept: dict[bytes, bytes] = {}  # all values, as they are stored
        self._values: dict[K, V] = {}  # those that are awake
        self._to_rest: set[K] = set()  # of these, when they are stored
        self._lately: set[K] = set()  # of these, what was stored since the quiet were put to rest
        self._rests_at = 0.0  # when they are again
        self._unsealed: dict[_Of, Positions] = {}  # what earlier lives have left
        self._left: set[int] = set()  # lives whose record of it is stored
        self._ahead: dict[K, Positions] = {}  # restored from a flush that was not completed: what is folded in
        self._ahead_by: dict[K, list[_Of]] = {}
        self._ends, self._keeps = _Times(), _Times()  # when a value ends; its latest event time, or an earlier one
        self._unpublished: dict[K, int] = {}  # whose rows are owed, and since which flush, the longest ago first
        self._rows, self._room, self._flushed_at = rows, rows or 0.0, -1.0  # how many may go out, since when
        self._changed: dict[K, V] = {}
        self._refused: list[Outgoing] = []
        self._found = [Change(key, stored.get(key, b"{}")) for key in (META, TIME)]  # until this life writes its own
        self._left_to_seal: list[Change] = []  # of a flush that did not: rows and all else of it are written
        self._before: _Unsealed | None = None  # of that flush, or of one before it
        self._sealed = time.stored()
        finish(self._restore(dict(stored), meta))

    @classmethod
    def restoring(  # noqa: PLR0913 - as above
        cls,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        rule: Rule[E, K, V],
        time: Watermark,
        life: int,
        rows: float | None = None,
    ) -> "Steps[KeyedRows[E, K, V]]":
        """Make one in steps. It takes a dict over: a copy of many values would be one long step."""
        own = {key: stored[key] for key in (META, TIME) if key in stored}
        core = cls(partition, own, rule=rule, time=time, life=life, rows=rows)
        values = stored if isinstance(stored, dict) else dict(stored)
        yield from core._restore(values, msgspec.json.decode(own.get(META, b"{}"), type=_Meta))
        return core

    def __len__(self) -> int:
        """Return how many values are stored."""
        return len(self._kept)

    def fold(self, chunk: Chunk) -> int:
        """Fold the records of a chunk into their values. Returns how many were refused."""
        refused_before = len(self._refused)
        positions, run, add = self.taken.positions, self._rule.usual_run, self._rule.add
        values, ahead, changed = self._values, self._ahead, self._changed
        keep, needs = self._rule.keep, self._rule.needs
        records, place, many = chunk.records, 0, len(chunk.records)
        while place < many:
            if run is not None and not ahead:  # first what is compiled, as far as it knows the records
                place += run(records, place, positions, values, changed)
                if place == many:
                    break
            record = records[place]
            place += 1
            found = self._read(record)
            if found is None:
                continue
            raw, offset, come_to, event, key, at = found
            positions[raw] = offset
            value = values.get(key)
            if keep is not None and needs(key, at) + keep <= come_to:
                self._refuse(record, self._too_late(key, at))
                continue
            if value is None:
                value = self._find(key, at)
                if value is None:
                    self._refuse(record, self._too_late(key, at))
                    continue
            elif ahead and key in ahead and offset <= ahead[key].get(raw, -1):
                continue
            add(value, event)
            changed[key] = value
        if records:
            self._time.take(records[-1].offset)
        return len(self._refused) - refused_before

    def _read(self, record: Record) -> tuple[int, int, int, E, K, int] | None:
        """Return (raw partition, raw offset, log time, event, key, event time); None where there is nothing to add.

        A record that can be read counts as taken, though it belongs nowhere.
        """
        try:
            come_from = self.taken.new(record)
            if come_from is None:
                return None
            event = self._rule.read(record.value or b"")
        except PositionError as error:
            self._refuse(record, error.refused)
            return None
        except ValueError as error:
            self._refuse(record, Refused(UNDECODABLE, str(error)))
            return None
        raw, offset = come_from
        placed = self._rule.place(event)
        if isinstance(placed, Refused):
            self.taken.positions[raw] = offset
            self._refuse(record, placed)
            return None
        return raw, offset, 0 if self._rule.keep is None else log_time(record), event, *placed

    def flush(self, now: float, *, seal: bool = True) -> Flush:
        """Return what changed since the last flush: values, rows and dead letters, the partition's own record."""
        return finish(self.flushing(now, seal=seal))

    def flushing(self, now: float, *, seal: bool = True) -> Steps[Flush]:
        """Do in steps what `flush` does. Nothing may be folded before the last."""
        changed, rule, flush, positions = self._changed, self._rule, Flush(), b""
        yield from self._end(self._time.advance())
        if changed:
            positions = pack(self.taken.positions)
            unsealed = _Unsealed(self._flush + 1, positions, self._before)
            self._before = None if seal else _Unsealed(self._flush + 1, positions)
            flush.state += [*self._found, Change(_unsealed_key(self._life), msgspec.json.encode(unsealed))]
        for key, value in changed.items():
            rule.settle(value)
            name = _stored_key(key)
            self._kept[name] = stored = self._stored(key, value)
            flush.state.append(Change(name, stored))
            self._unpublished.setdefault(key, self._flush + 1)
            if key in self._to_rest and key not in self._ahead:
                del self._values[key]
                self._to_rest.remove(key)
            else:
                self._lately.add(key)
            yield
        for key in list(islice(self._unpublished, self._may_publish(now))):
            flush.outputs.append(rule.row(key, changed[key] if key in changed else self._value(key)))
            del self._unpublished[key]
            yield
        flush.outputs += self._refused
        time, sealed = self._time.stored(), self._sealed
        if flush or time != sealed:
            self._sealed = time
            gone = yield from self._forget(self._time.log_time - BROKERS_APART)
            if flush or gone or time["taken"] != sealed["taken"]:
                self._flush, self._found = self._flush + 1, []
                gone.insert(0, Change(META, self._meta(positions or pack(self.taken.positions))))
            else:
                gone.insert(0, Change(TIME, msgspec.json.encode(time)))
            flush.seal = [*gone, *self._reached()]
        flush.state[:0] = self._left_to_seal
        flush.seal, self._left_to_seal = (flush.seal, []) if seal else ([], flush.seal)
        self._changed, self._refused = {}, []
        yield from self._rest(now)
        self.taken.tell(flush)
        return flush

    def _rest(self, now: float) -> Steps[None]:
        """Put the values to rest that were not changed lately, if it is time for it; all are stored."""
        if now < self._rests_at:
            return
        self._rests_at = now + QUIET
        lately, self._lately = self._lately, set()
        for key in [key for key in self._values if key not in lately and key not in self._ahead]:
            del self._values[key]
            self._to_rest.discard(key)
            yield

    def _may_publish(self, now: float) -> int | None:
        """Return how many rows may go out at `now`; None for all."""
        if self._rows is None:
            return None
        passed = max(now - self._flushed_at, 0.0) if self._flushed_at >= 0 else 0.0
        self._flushed_at = now
        self._room = min(self._room + self._rows * passed, self._rows * max(passed, 1.0))
        most = min(int(self._room), len(self._unpublished))
        self._room -= most
        return most

    def _value(self, key: K) -> V:
        value = self._values.get(key)
        return self._rule.restore(key, _content(self._kept[_stored_key(key)])) if value is None else value

    def _wake(self, key: K, name: bytes) -> V | None:
        """Return a value that rests, `name` being its stored key; None where there is none."""
        stored = self._kept.get(name)
        if stored is None:
            return None
        _, _, _, _, flags, _ = _HEADER.unpack_from(stored)
        value = self._values[key] = self._rule.restore(key, _content(stored))
        if flags & _RESTS:
            self._to_rest.add(key)
        return value

    def _find(self, key: K, at: int) -> V | None:
        """Return a value that rests, or begins; None when it may have been forgotten."""
        rule, name = self._rule, _stored_key(key)
        value = self._wake(key, name)
        if value is not None:
            return value
        if rule.keep is not None and rule.needs(key, at) <= self._forgotten:
            return None
        value = self._values[key] = rule.begin(key)
        self._watch(key, name, value)
        if rule.keep is not None:
            self._keeps.add(rule.needs(key, at), name)
        return value

    def _too_late(self, key: K, at: int) -> Refused:
        return Refused(TOO_LATE, f"what it belongs to began at {iso(self._rule.needs(key, at))} and is no longer kept")

    def _watch(self, key: K, name: bytes, value: V) -> None:
        ends = self._rule.ends(key, value)
        if ends is not None:
            self._ends.add(ends, name)

    def _end(self, time: int) -> Steps[None]:
        """End the values whose end is at `time` or before, some of them if they are many: they have changed."""
        rule, moved = self._rule, list[tuple[K, bytes, V]]()
        for name in islice(self._ends.due(time), MOST_ENDED):
            key: K = _key(name)
            value = self._values.get(key)
            if value is None:
                value = self._wake(key, name)
            if value is None:
                continue
            ends = rule.ends(key, value)
            if ends is not None and ends <= time:
                rule.end(value)
                self._changed[key] = value
                if rule.keep is not None and rule.ends(key, value) is None:
                    self._to_rest.add(key)
            moved.append((key, name, value))
            yield
        for key, name, value in moved:
            self._watch(key, name, value)

    def _forget(self, log_time: int) -> Steps[list[Change]]:
        """Forget what is no longer kept when all that still comes has at least this log time.

        What has not ended is kept, and what holds records that come again.
        """
        self._release()
        rule, gone, kept = self._rule, list[Change](), list[tuple[int, bytes]]()
        if rule.keep is None:
            return gone
        until = log_time - rule.keep
        for name in self._keeps.due(until):
            key: K = _key(name)
            _, _, latest, ends, _, _ = _HEADER.unpack_from(self._kept[name])
            if ends == _NEVER and latest <= until and key not in self._ahead and key not in self._unpublished:
                del self._kept[name]
                self._values.pop(key, None)
                self._to_rest.discard(key)
                self._forgotten = max(self._forgotten, latest)
                gone.append(Change(name, None))
            else:
                kept.append((max(latest, until + 1), name))
            yield
        for latest, name in kept:
            self._keeps.add(latest, name)
        return gone

    def _release(self) -> None:
        """Let go of what values are ahead by, once everything has come again."""
        reached, all_ = self.taken.positions, {id(ahead): ahead for ahead in self._ahead.values()}
        waiting = {each for each, ahead in all_.items() if _beyond(ahead, reached)}
        for key in [key for key, ahead in self._ahead.items() if id(ahead) not in waiting]:
            del self._ahead[key], self._ahead_by[key]

    def _reached(self) -> list[Change]:
        """Return what deletes the positions by which no value is ahead any more."""
        still = {life for flushes in self._ahead_by.values() for life, _ in flushes}
        over = self._left - still
        self._left &= still
        return [Change(_unsealed_key(life), None) for life in sorted(over)]

    def _stored(self, key: K, value: V) -> bytes:
        rule, content, flags = self._rule, self._rule.store(value), 0
        if key in self._to_rest:
            flags |= _RESTS
            if len(content) >= _WORTH_PACKING:
                content, flags = zlib.compress(content, 1), flags | _PACKED
        ends, others = rule.ends(key, value), self._ahead_by.get(key, ())
        header = _HEADER.pack(
            self._life,
            self._flush + 1,
            0 if rule.keep is None else rule.latest(key, value),
            _NEVER if ends is None else ends,
            flags,
            len(others),
        )
        return b"".join((header, *(_FLUSH.pack(*each) for each in others), content))

    def _restore_unsealed(self, stored: dict[bytes, bytes], meta: _Meta) -> Steps[None]:
        names, found = iter(stored), list[bytes]()
        for _ in range(0, len(stored), _AT_A_TIME):
            found += [name for name in islice(names, _AT_A_TIME) if name[:1] == UNSEALED]
            yield
        for name in found:
            left = msgspec.json.decode(stored.pop(name), type=_Unsealed)
            life = int(name[len(UNSEALED) :])
            self._left.add(life)
            self._flush = max(self._flush, left.flush)
            for each in (left, left.before):
                if each is not None and not (life == meta.life and each.flush <= meta.flush):
                    self._unsealed[life, each.flush] = unpack(each.positions)

    def _restore(self, stored: dict[bytes, bytes], meta: _Meta) -> Steps[None]:
        yield from self._restore_unsealed(stored, meta)
        for own in (META, TIME):
            stored.pop(own, None)
        self._kept = stored
        unpack, unsealed, keep = _HEADER.unpack_from, self._unsealed, self._rule.keep
        ahead: list[bytes] = []
        owed: list[tuple[int, bytes]] = []
        for number, (name, value) in enumerate(stored.items()):
            life, flush, latest, ends, _, others = unpack(value)
            if unsealed and (others or (life, flush) in unsealed):
                ahead.append(name)
            if meta.unpublished and flush >= meta.unpublished:
                owed.append((flush, name))
            if ends != _NEVER:
                self._ends.add(ends, name)
            if keep is not None:
                self._keeps.add(latest, name)
            if not number % _AT_A_TIME:
                yield
        owed += yield from self._restore_ahead(ahead)
        for flush, name in sorted(owed):
            self._unpublished.setdefault(_key(name), flush)

    def _restore_ahead(self, names: list[bytes]) -> Steps[list[tuple[int, bytes]]]:
        """Note what values hold beside what is sealed, if they do. Returns those whose rows are published again."""
        owed: list[tuple[int, bytes]] = []
        known: dict[tuple[_Of, ...], Positions] = {}
        for name in names:
            flushes = _flushes(self._kept[name])
            of = tuple(each for each in flushes if each in self._unsealed)
            if of:
                key: K = _key(name)
                self._wake(key, name)
                if of not in known:
                    known[of] = _highest([self._unsealed[each] for each in of])
                self._ahead[key], self._ahead_by[key] = known[of], list(of)
                owed.append((flushes[0][1], name))
            yield
        return owed

    def _meta(self, positions: bytes) -> bytes:
        owed_since = next(iter(self._unpublished.values()), 0)
        meta = _Meta(self._life, self._flush, positions, self._sealed, self._forgotten, owed_since)
        return msgspec.json.encode(meta)

    def _refuse(self, record: Record, refused: Refused) -> None:
        stage = self._rule.declaration
        self._refused.append(
            dead_letter(
                stage.reads.name,
                self._partition,
                record,
                stage=stage.name,
                reason=refused.reason,
                detail=refused.detail,
            )
        )


def _flushes(stored: bytes) -> list[_Of]:
    """Return the flush that a value is of, and those that it was ahead by then."""
    life, flush, _, _, _, others = _HEADER.unpack_from(stored)
    return [(life, flush), *(_FLUSH.unpack_from(stored, _HEADER.size + i * _FLUSH.size) for i in range(others))]


def _content(stored: bytes) -> bytes:
    """Return what the rule has stored."""
    _, _, _, _, flags, others = _HEADER.unpack_from(stored)
    content = stored[_HEADER.size + others * _FLUSH.size :]
    return zlib.decompress(content) if flags & _PACKED else content


def _highest(all_: list[Positions]) -> Positions:
    raws = {raw for positions in all_ for raw in positions}
    return {raw: max(positions.get(raw, -1) for positions in all_) for raw in raws}


def _beyond(positions: Positions, reached: Positions) -> bool:
    return any(offset > reached.get(raw, -1) for raw, offset in positions.items())


def _unsealed_key(life: int) -> bytes:
    return b"%b%d" % (UNSEALED, life)


def _stored_key(key: Any) -> bytes:
    return msgspec.json.encode(key)


def _key(stored: bytes) -> Any:
    key = msgspec.json.decode(stored)
    return tuple(key) if isinstance(key, list) else key
