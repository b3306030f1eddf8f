"""A value per key and a row per value, each record counted once whatever is killed.

A flush writes three things, each with the broker before the next (`Flush`):

1. *state*: each changed value, with the number of the flush and the source positions folded into it;
2. *rows*: what the changed values make, and dead letters;
3. *seal*: the partition's own record, with the same number: up to where everything is folded in and published.

A kill leaves a prefix of the changelog. A value with a higher number than the seal, or with positions beyond it, is
*ahead*: its row may not have been published, so it is published again as it was stored, and the records that it holds
already are skipped for it alone when they come again.

A value that has ended rests as the bytes that are stored of it, which the table holds anyway, until an event changes
it.

Cost: a heap entry for each value that ends or is forgotten, nothing for values that did not change.
"""

import heapq
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Generic

import msgspec

from schemas.dead_letters import dead_letter
from schemas.envelope import LOG_TIME, Outgoing, Record
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.event_time import log_time
from streams.core.rule import E, K, Rule, V
from streams.core.taken import PositionError, Positions, Taken
from streams.core.times import iso
from streams.core.windows.watermark import BROKERS_APART, Watermark

META = b""  # key of the partition's own record

UNDECODABLE = "undecodable"
TOO_LATE = "too late"


class _Value(msgspec.Struct, omit_defaults=True):
    """A stored value: {"flush": 7, "positions": [[raw partition, raw offset], ...], "value": as the rule stores it}.

    Of a value that has ended also "rests": its latest event time (ms).
    """

    flush: int
    positions: msgspec.Raw
    value: msgspec.Raw
    rests: int | None = None


class _Meta(msgspec.Struct):
    """The partition's own record. `forgotten` is the latest event time (ms) of a value that was forgotten."""

    flush: int = 0
    positions: list[tuple[int, int]] = []
    time: dict[str, Any] = {}
    forgotten: int = -1


_VALUE, _POSITIONS = msgspec.json.Decoder(_Value), msgspec.json.Decoder(list[tuple[int, int]])


class KeyedRows(Generic[E, K, V]):
    """The values of one partition of the topic that the stage reads.

    Args:
        partition: for dead letters.
        stored: {key: value} of an earlier life.
        rule: of the stage.
        time: a new watermark, which is restored with the values.
    """

    def __init__(self, partition: int, stored: Mapping[bytes, bytes], *, rule: Rule[E, K, V], time: Watermark) -> None:
        self._partition, self._rule, self._time = partition, rule, time
        meta = msgspec.json.decode(stored.get(META, b"{}"), type=_Meta)
        time.restore(meta.time)
        self.taken = Taken(rule.declaration.reads.name, meta.positions, stage=rule.declaration.name)
        self._flush, self._forgotten = meta.flush, meta.forgotten
        self._values: dict[K, V] = {}
        self._resting: dict[K, bytes] = {}  # as they are stored
        self._to_rest: set[K] = set()  # with the next flush
        self._ahead: dict[K, Positions] = {}  # restored from a flush that was not completed: what is folded in
        self._turn = count()
        self._ends: list[tuple[int, int, K]] = []  # heap: event time at which a value ends, turn, key
        self._keeps: list[tuple[int, int, K]] = []  # heap: a value's latest event time, turn, key
        for key, value in stored.items():
            if key != META:
                self._restore(_key(key), value)
        self._unpublished = {key: self._values[key] for key in self._ahead}
        self._changed: dict[K, V] = {}
        self._refused: list[Outgoing] = []
        self._sealed = time.stored()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._values) + len(self._resting)

    def fold(self, chunk: Chunk) -> int:  # noqa: C901 - one loop for what happens 100,000 times a second
        """Fold the records of a chunk into their values. Returns how many were refused."""
        refused_before = len(self._refused)
        new, positions, read, place, add = (
            self.taken.new, self.taken.positions, self._rule.read, self._rule.place, self._rule.add,
        )  # fmt: skip
        values, resting, ahead, changed = self._values, self._resting, self._ahead, self._changed
        keep, needs = self._rule.keep, self._rule.needs
        known, come_to = None, 0  # the header of the record before that says its log time, and that
        for record in chunk.records:
            try:
                source = new(record)
                if source is None:
                    continue
                event = read(record.value or b"")
            except PositionError as error:
                self._refuse(record, error.refused)
                continue
            except ValueError as error:
                self._refuse(record, Refused(UNDECODABLE, str(error)))
                continue
            raw, offset = source
            positions[raw] = offset
            placed = place(event)
            if isinstance(placed, Refused):
                self._refuse(record, placed)
                continue
            key, at = placed
            value = values.get(key)
            if keep is not None:
                headers = record.headers
                if len(headers) != 2 or headers[1] != known:  # noqa: PLR2004 - a position, and often the same log time
                    come_to = log_time(record)
                    known = headers[1] if len(headers) == 2 and headers[1][0] == LOG_TIME else None  # noqa: PLR2004
                if needs(key, at) + keep <= come_to:
                    self._refuse(record, self._too_late(key, at))
                    continue
            if value is None:
                value = self._wake(key) if key in resting else self._begin(key, at)
                if value is None:
                    self._refuse(record, self._too_late(key, at))
                    continue
            elif ahead and key in ahead and offset <= ahead[key].get(raw, -1):
                continue
            add(value, event)
            changed[key] = value
        if chunk.records:
            self._time.take(chunk.records[-1].offset)
        return len(self._refused) - refused_before

    def flush(self, _now: float, *, seal: bool = True) -> Flush:  # noqa: ARG002 - values go out whole or not at all
        """Return what changed since the last flush: values, rows and dead letters, the partition's own record."""
        changed, rule = self._changed, self._rule
        for key, value in self._ending(self._time.advance()):
            changed[key] = value
        for value in changed.values():
            rule.settle(value)
        flush = Flush(
            state=self._stored(changed),
            outputs=[rule.row(key, value) for key, value in (self._unpublished | changed).items()] + self._refused,
        )
        time = self._time.stored()
        if flush or time != self._sealed:
            self._flush, self._sealed = self._flush + 1, time
            gone = self._forget(self._time.log_time - BROKERS_APART)
            flush.seal = [Change(META, self._meta()), *gone]
        self._rest(flush.state)
        self._changed, self._unpublished, self._refused = {}, {}, []
        self.taken.tell(flush)
        return flush

    def _rest(self, stored: Iterable[Change]) -> None:
        """Let values that have ended rest as what was `stored` of them, in the order of the changed ones."""
        if not self._to_rest:
            return
        for key, change in zip(self._changed, stored, strict=True):
            if key in self._to_rest and key in self._values and key not in self._ahead and change.value is not None:
                del self._values[key]  # which the same flush may have forgotten
                self._resting[key] = change.value
        self._to_rest.clear()

    def _wake(self, key: K) -> V:
        stored = _VALUE.decode(self._resting.pop(key))
        value = self._values[key] = self._rule.restore(key, bytes(stored.value))
        self._to_rest.add(key)
        return value

    def _begin(self, key: K, at: int) -> V | None:
        """Return the value of a key that has none yet; None when it may have had one that is forgotten."""
        rule = self._rule
        if rule.keep is not None and rule.needs(key, at) <= self._forgotten:
            return None
        value = self._values[key] = rule.begin(key)
        self._watch(key, value)
        if rule.keep is not None:
            heapq.heappush(self._keeps, (at, next(self._turn), key))
        return value

    def _too_late(self, key: K, at: int) -> Refused:
        return Refused(TOO_LATE, f"what it belongs to began at {iso(self._rule.needs(key, at))} and is no longer kept")

    def _watch(self, key: K, value: V) -> None:
        ends = self._rule.ends(key, value)
        if ends is not None:
            heapq.heappush(self._ends, (ends, next(self._turn), key))

    def _ending(self, time: int) -> list[tuple[K, V]]:
        """End the values whose end is at `time` or before; return them."""
        ended = []
        for key in _due(self._ends, time):
            value = self._values.get(key)
            if value is None:
                continue
            ends = self._rule.ends(key, value)
            if ends is not None and ends <= time:
                self._rule.end(value)
                ended.append((key, value))
                if self._rule.keep is not None and self._rule.ends(key, value) is None:
                    self._to_rest.add(key)
            self._watch(key, value)
        return ended

    def _forget(self, log_time: int) -> list[Change]:
        """Forget what is no longer kept when all that still comes has at least this log time.

        What has not ended is kept, and what holds records that come again.
        """
        self._release()
        rule = self._rule
        if rule.keep is None:
            return []
        until, gone = log_time - rule.keep, []
        for key in _due(self._keeps, until):
            value = self._values.get(key)
            if value is None:
                latest, ended = _rests(self._resting[key]), True
            else:
                latest, ended = rule.latest(key, value), rule.ends(key, value) is None
            if latest <= until and key not in self._ahead and ended:
                self._values.pop(key, None)
                self._resting.pop(key, None)
                self._forgotten = max(self._forgotten, latest)
                gone.append(Change(_stored_key(key), None))
            else:
                heapq.heappush(self._keeps, (max(latest, until + 1), next(self._turn), key))
        return gone

    def _release(self) -> None:
        """Let go of what values are ahead by, once everything has come again."""
        reached = self.taken.positions
        for key in [key for key, ahead in self._ahead.items() if not _beyond(ahead.items(), reached)]:
            del self._ahead[key]

    def _stored(self, changed: Mapping[K, V]) -> list[Change]:
        positions = self.taken.positions
        own = msgspec.Raw(msgspec.json.encode(list(positions.items())))
        changes = []
        for key, value in changed.items():
            ahead = self._ahead.get(key)
            if ahead is None:
                folded = own
            else:  # it holds more of some raw partitions than the others do
                both = {raw: max(positions.get(raw, -1), ahead.get(raw, -1)) for raw in positions | ahead}
                folded = msgspec.Raw(msgspec.json.encode(list(both.items())))
            rests = self._rule.latest(key, value) if key in self._to_rest else None
            stored = _Value(self._flush + 1, folded, msgspec.Raw(self._rule.store(value)), rests)
            changes.append(Change(_stored_key(key), msgspec.json.encode(stored)))
        return changes

    def _restore(self, key: K, stored: bytes) -> None:
        found = _VALUE.decode(stored)
        positions = dict(_POSITIONS.decode(found.positions))
        ahead = found.flush > self._flush or _beyond(positions.items(), self.taken.positions)
        if found.rests is not None and not ahead:
            self._resting[key], latest = stored, found.rests
        else:
            value = self._values[key] = self._rule.restore(key, bytes(found.value))
            if ahead:
                self._ahead[key] = positions
            self._watch(key, value)
            latest = self._rule.latest(key, value) if self._rule.keep is not None else 0
        if self._rule.keep is not None:
            heapq.heappush(self._keeps, (latest, next(self._turn), key))

    def _meta(self) -> bytes:
        return msgspec.json.encode(_Meta(self._flush, self.taken.stored(), self._sealed, self._forgotten))

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


def _rests(stored: bytes) -> int:
    """Return the latest event time of a value that rests."""
    latest = _VALUE.decode(stored).rests
    assert latest is not None  # noqa: S101 - only what was stored so rests
    return latest


def _due(heap: list[tuple[int, int, K]], time: int) -> list[K]:
    """Take from the heap what is due at `time`."""
    due = []
    while heap and heap[0][0] <= time:
        due.append(heapq.heappop(heap)[2])
    return due


def _beyond(positions: Iterable[tuple[int, int]], reached: Positions) -> bool:
    return any(offset > reached.get(raw, -1) for raw, offset in positions)


def _stored_key(key: Any) -> bytes:
    return msgspec.json.encode(key)


def _key(stored: bytes) -> Any:
    key = msgspec.json.decode(stored)
    return tuple(key) if isinstance(key, list) else key
