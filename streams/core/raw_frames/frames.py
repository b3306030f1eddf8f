"""Raw frames of one partition -> typed events, each event id once within the horizon."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import orjson
from prometheus_client import Counter

from schemas.dead_letters import dead_letter
from schemas.envelope import EVENT_ID, LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Headers, Outgoing, Record
from schemas.frame_fields import Kind
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.event_time import EventTime
from streams.core.raw_frames.event_ids import FINGERPRINT_BYTES, Seen, fingerprint

NOT_JSON = "not JSON"

_COVER = struct.Struct("<BQ")  # what the value is of its seal, the last offset that the seal covers
PART, LAST, LAST_TIMED = range(3)  # behind the cover of LAST_TIMED comes the time
_TIME = struct.Struct("<qqq")  # passed, log time, arrived
LARGEST = 65_536  # fingerprints in one stored value: half of what a broker takes by default
SMALL = 8_192  # fingerprints: what has fewer is put together with others
SMALL_VALUES = 64  # of a slice, before they are: a seal each second would leave thousands of them

# Outcomes, counted
OUTCOMES = COMPLETED, CONTROL, OTHER, REDELIVERED, REFUSED = ("completed", "control", "other", "redelivered", "refused")


class Event(Protocol):
    """What is made of a frame."""

    @property
    def event_id(self) -> str | None: ...


E = TypeVar("E", bound=Event)


def nothing_is_usual(_value: bytes, _arrived: int) -> None:
    """Look at every frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[E]):
    """How a stage reads its raw topic.

    Args:
        stage: for dead letters.
        source: the raw topic; `destination` takes the events.
        route: the event's topic, where `destination` is not that of all events.
        usual: (bytes, arrival in ms) -> event, or None where a closer look is needed.
        kind: what a frame is.
        interpret: a frame of the kind EVENT, and its record -> event or refusal.
        key: of the event's record.
        encode: the event's bytes.
        time: the event's time in ms; None where nobody aggregates by it, and nobody is told of it.
        frames: counts outcomes; `without_id` events that no redelivery is told from.
    """

    stage: str
    source: str
    destination: str
    route: Callable[[E], str] | None = None
    usual: Callable[[bytes, int], E | None] = nothing_is_usual
    kind: Callable[[Mapping[str, object]], Kind]
    interpret: Callable[[dict[str, object], Record], E | Refused]
    key: Callable[[E], str]
    encode: Callable[[E], bytes]
    time: Callable[[E], int] | None = None
    frames: Counter
    without_id: Counter


class Frames(Generic[E]):
    """The raw frames of one partition.

    Stored are the fingerprints added by each seal, under `slice|last offset|part`, with the last offset that the seal
    covers: the changelog grows by what is new and forgets whole slices. Of a slice's small values, the next seal makes
    one when there are many. A frame at or below the last covered offset was
    published before its seal was written, and is skipped. The last value of a seal carries the event time, too.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        horizon: int,
        reading: Reading[E],
        idle_after: int = 60_000,
    ) -> None:
        """`horizon` and `idle_after` (see `EventTime`) in milliseconds."""
        self._partition, self._reading = partition, reading
        self._seen = Seen(horizon)
        self._keys: dict[int, list[bytes]] = {}  # slice -> keys of what is stored of it
        self._small: dict[int, list[tuple[bytes, list[bytes]]]] = {}  # slice -> small values and their keys
        self._merged: list[bytes] = []  # keys of what is in another value now
        self._oldest = 0  # slice that is remembered; earlier ones are deleted with the next seal
        self.position = -1  # highest offset folded in
        self.event_time = EventTime(idle_after)
        additions = sorted((int(key.partition(b"|")[0]), key, *_unpack(value)) for key, value in stored.items())
        for index, key, sealed, covered, _ in additions:
            self._keys.setdefault(index, []).append(key)
            if sealed is not None and covered > self.position:
                self.position, self.event_time = covered, EventTime(idle_after, *sealed)
        for index, key, _, covered, numbers in additions:
            if covered <= self.position:  # else a kill cut its seal short: those frames come again
                self._oldest = self._seen.advance(index)
                self._seen.remember(index, numbers)
                self._note_small(index, key, numbers)
        self._outputs: list[Outgoing] = []
        self._added: dict[int, list[bytes]] = {}  # slice -> fingerprints since the last seal
        self._sealed = self.position
        self._replays = 0

    def fold(self, chunk: Chunk) -> int:  # noqa: C901 - one loop for what happens 100,000 times a second
        """Turn the frames of a chunk into outputs. Returns how many were refused."""
        outcomes = dict.fromkeys(OUTCOMES, 0)
        reading, seen, outputs = self._reading, self._seen, self._outputs
        usual, encode, key, destination = reading.usual, reading.encode, reading.key, reading.destination
        route = reading.route
        time_of, take = reading.time, self.event_time.take
        for record in chunk.records:
            offset, arrived = record.offset, record.timestamp
            if offset <= self.position:
                self._replays += 1
                continue
            self.position = offset
            if arrived >= seen.until:
                self._oldest = seen.advance(seen.slice_at(arrived))
            event = usual(record.value or b"", arrived) or self._look_at(record, outcomes)
            if event is None:
                continue
            headers: Headers = ((SOURCE_POSITION, b"%d:%d" % (self._partition, offset)),)
            if time_of is not None:
                headers = (*headers, (LOG_TIME, b"%d" % take(time_of(event), arrived)))
            marked = record.headers and record.headers[0][0] == REPLAY_FOR  # a person wants it once more
            if marked:
                headers = (record.headers[0], *headers)
            if event.event_id is None:
                reading.without_id.inc()
            else:
                event_id = event.event_id.encode()
                number = fingerprint(event_id)
                if seen.first_time(number):
                    self._added.setdefault(seen.newest, []).append(number)
                elif not marked:
                    outcomes[REDELIVERED] += 1
                    continue
                headers = (*headers, (EVENT_ID, event_id))
            outcomes[COMPLETED] += 1
            to = destination if route is None else route(event)
            outputs.append(Outgoing(to, key(event).encode(), encode(event), headers))
        for outcome, count in outcomes.items():
            if count:
                reading.frames.labels(outcome).inc(count)
        return outcomes[REFUSED]

    def flush(self, _now: float, *, seal: bool) -> Flush:
        """Return outputs; sealing, also the fingerprints behind all outputs since the last seal."""
        flush = Flush(outputs=self._outputs)
        if self._reading.time is not None:
            flush.event_time = self.event_time.passed, self.event_time.log_time
        self._outputs = []
        if seal and self.position > self._sealed:
            flush.seal = [*self._additions(), *self._removals()]
            self._added, self._sealed = {}, self.position
        if self._replays:
            flush.replays[self._reading.source] = self._replays
            self._replays = 0
        return flush

    def _look_at(self, record: Record, outcomes: dict[str, int]) -> E | None:
        """Interpret a frame that is not the usual one; None when it is no event to pass on."""
        try:
            frame = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError as error:
            self._refuse(record, Refused(NOT_JSON, str(error)), outcomes)
            return None
        if not isinstance(frame, dict):
            self._refuse(record, Refused(NOT_JSON, "a frame is a JSON object"), outcomes)
            return None
        kind = self._reading.kind(frame)
        if kind is not Kind.EVENT:
            outcomes[CONTROL if kind is Kind.CONTROL else OTHER] += 1
            return None
        event = self._reading.interpret(frame, record)
        if isinstance(event, Refused):
            self._refuse(record, event, outcomes)
            return None
        return event

    def _refuse(self, record: Record, refused: Refused, outcomes: dict[str, int]) -> None:
        outcomes[REFUSED] += 1
        self._outputs.append(
            dead_letter(
                self._reading.source,
                self._partition,
                record,
                stage=self._reading.stage,
                reason=refused.reason,
                detail=refused.detail,
            )
        )

    def _additions(self) -> list[Change]:
        """Return one value for each slice that grew, the newest last: it says that all of them are written."""
        newest = self._seen.newest
        added = {newest: [], **self._added} if newest not in self._added else self._added
        changes = []
        for index in sorted(added):
            keys, numbers = self._keys.setdefault(index, []), [*self._merge(index), *added[index]]
            for part, first in enumerate(range(0, max(len(numbers), 1), LARGEST)):
                # Of two lives that seal up to the same offset, the later one holds all that the earlier does.
                keys.append(b"%d|%d|%d" % (index, self.position, part))
                last = self.event_time if index == newest and first + LARGEST >= len(numbers) else None
                value = _pack(numbers[first : first + LARGEST], last=last, covered=self.position)
                changes.append(Change(keys[-1], value))
            self._note_small(index, keys[-1], numbers)
        return changes

    def _note_small(self, index: int, key: bytes, numbers: list[bytes]) -> None:
        if len(numbers) < SMALL:
            self._small.setdefault(index, []).append((key, numbers))

    def _merge(self, index: int) -> list[bytes]:
        """Return the fingerprints of a slice's small values when there are many; they go with the seal's removals."""
        small = self._small.get(index, [])
        if len(small) < SMALL_VALUES:
            return []
        self._small[index] = []
        merged = {key for key, _ in small}
        self._keys[index][:] = [key for key in self._keys[index] if key not in merged]
        self._merged += merged
        return [number for _, numbers in small for number in numbers]

    def _removals(self) -> list[Change]:
        """Return what goes with a seal: after its values, which hold what was merged."""
        gone, merged = [index for index in self._keys if index < self._oldest], self._merged
        self._merged = []
        for index in gone:
            self._small.pop(index, None)
        return [Change(key, None) for key in (*merged, *(key for index in gone for key in self._keys.pop(index)))]


def _pack(numbers: Sequence[bytes], *, last: EventTime | None, covered: int) -> bytes:
    if last is None:
        return _COVER.pack(PART, covered) + b"".join(numbers)
    time = _TIME.pack(last.passed, last.log_time, last.arrived)
    return _COVER.pack(LAST_TIMED, covered) + time + b"".join(numbers)


def _unpack(value: bytes) -> tuple[tuple[int, ...] | None, int, list[bytes]]:
    """Return (event time where the value is the last of its seal, offset covered, fingerprints)."""
    what, covered = _COVER.unpack_from(value)
    begin, sealed = _COVER.size, (() if what == LAST else None)
    if what == LAST_TIMED:
        begin, sealed = begin + _TIME.size, _TIME.unpack_from(value, begin)
    starts = range(begin, len(value), FINGERPRINT_BYTES)
    return sealed, covered, [value[start : start + FINGERPRINT_BYTES] for start in starts]
