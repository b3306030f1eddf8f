"""Raw frames of one partition -> typed events, each event id once within the horizon."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from prometheus_client import Counter

from schemas.compiled import FrameRun
from schemas.dead_letters import dead_letter
from schemas.envelope import EVENT_ID, LOG_TIME, REPLAY_FOR, SOURCE_POSITION, Headers, Outgoing, Record
from schemas.frame_fields import Kind
from schemas.json_limits import NOT_JSON, Unreadable, read
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.event_time import EventTime
from streams.core.raw_frames.event_ids import FINGERPRINT_BYTES, Seen, fingerprint
from streams.core.sliced_seals import Joining, Slice, SlicedSeals
from streams.core.taken import replayed_on

_TIME = struct.Struct("<qqq")  # what a seal's head says of event time: passed, log time, arrived
JOINING = Joining(item=FINGERPRINT_BYTES, largest=65_536, small=8_192, many=64)  # half of what a broker takes at most

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
        usual_run: takes all usual frames up to one that needs a closer look, faster than one by one. Only where events
            have `time`, and neither `route` nor their id in a header.
        usual: (bytes, arrival in ms) -> event, or None where a closer look is needed.
        kind: what a frame is.
        interpret: a frame of the kind EVENT, and its record -> event or refusal.
        key: of the event's record.
        encode: the event's bytes.
        time: the event's time in ms; None where nobody aggregates by it, and nobody is told of it.
        id_in_header: whether the event id goes into a header; False where the event's record is enough.
        frames: counts outcomes; `without_id` events that no redelivery is told from.
    """

    stage: str
    source: str
    destination: str
    route: Callable[[E], str] | None = None
    usual_run: FrameRun | None = None
    usual: Callable[[bytes, int], E | None] = nothing_is_usual
    kind: Callable[[Mapping[str, object]], Kind]
    interpret: Callable[[dict[str, object], Record], E | Refused]
    key: Callable[[E], str]
    encode: Callable[[E], bytes]
    time: Callable[[E], int] | None = None
    id_in_header: bool = True
    frames: Counter
    without_id: Counter


class Frames(Generic[E]):
    """The raw frames of one partition.

    Stored are the fingerprints added by each seal, by slice of the log's time, and the event time as the seal's head.
    A frame at or below the last covered offset was published before its seal was written, and is skipped.
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
        self._seals = SlicedSeals(stored, JOINING)
        self.position = self._seals.covered  # highest offset folded in
        self.event_time = EventTime(idle_after, *(_TIME.unpack(self._seals.head) if self._seals.head else ()))
        self._oldest = 0  # slice that is remembered; earlier ones are deleted with the next seal
        for (start,), _, part in self._seals.restored():
            self._oldest = self._seen.advance(start)
            self._seen.remember(start, _fingerprints(part))
        self._outputs: list[Outgoing] = []
        self._added: dict[int, list[bytes]] = {}  # slice -> fingerprints since the last seal
        self._replays = 0

    def fold(self, chunk: Chunk) -> int:  # noqa: C901, PLR0912, PLR0915 - one loop for what happens 100,000 times a second
        """Turn the frames of a chunk into outputs. Returns how many were refused."""
        outcomes = dict.fromkeys(OUTCOMES, 0)
        reading, seen, outputs = self._reading, self._seen, self._outputs
        run, usual, encode, destination = reading.usual_run, reading.usual, reading.encode, reading.destination
        route, stage, id_in_header = reading.route, reading.stage.encode(), reading.id_in_header
        key, time = reading.key, reading.time
        take, first_time, position = self.event_time.take, seen.first_time, self.position
        prefix, known, time_header, completed = b"%d:" % self._partition, -1, (LOG_TIME, b""), 0
        records, place, many = chunk.records, 0, len(chunk.records)
        while place < many:
            if run is not None:  # first what is compiled, as far as it knows the records; below is the same of any
                taken, new, numbers = run(records, place, self._partition, position, seen.until, take, first_time)
                if taken:
                    place, position = place + taken, records[place + taken - 1].offset
                    completed += len(new)
                    outcomes[REDELIVERED] += taken - len(new)
                if new:
                    outputs += new
                    self._added.setdefault(seen.newest, []).extend(numbers)
                if place == many:
                    break
            record = records[place]
            place += 1
            offset, arrived = record.offset, record.timestamp
            if offset <= position:
                self._replays += 1
                continue
            position = offset
            if arrived >= seen.until:
                self._oldest = seen.advance(seen.slice_at(arrived))
            event = usual(record.value or b"", arrived) or self._look_at(record, outcomes)
            if event is None:
                continue
            headers: Headers = ((SOURCE_POSITION, prefix + b"%d" % offset),)
            if time is not None:
                log_time = take(time(event), arrived)
                if log_time != known:  # it is often that of the event before
                    known, time_header = log_time, (LOG_TIME, b"%d" % log_time)
                headers = headers[0], time_header
            marks = record.headers
            marked = marks and marks[0][0] == REPLAY_FOR and replayed_on(marks[0], stage)
            if marked:
                headers = (marks[0], *headers)
            event_id = None if event.event_id is None else event.event_id.encode()
            if event_id is None:
                reading.without_id.inc()
            elif first_time(number := fingerprint(event_id)):
                self._added.setdefault(seen.newest, []).append(number)
            elif not marked:
                outcomes[REDELIVERED] += 1
                continue
            completed += 1
            if id_in_header and event_id is not None:
                headers = (*headers, (EVENT_ID, event_id))
            to = destination if route is None else route(event)
            outputs.append(Outgoing(to, key(event).encode(), encode(event), headers))
        self.position, outcomes[COMPLETED] = position, completed
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
        if seal and self.position > self._seals.covered:
            flush.seal = self._seal()
        if self._replays:
            flush.replays[self._reading.source] = self._replays
            self._replays = 0
        return flush

    def _look_at(self, record: Record, outcomes: dict[str, int]) -> E | None:
        """Interpret a frame that is not the usual one; None when it is no event to pass on."""
        frame = read(record.value or b"")
        if isinstance(frame, Unreadable):
            self._refuse(record, Refused(frame.reason, frame.detail), outcomes)
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

    def _seal(self) -> list[Change]:
        added: dict[Slice, list[bytes]] = {(start,): [b"".join(numbers)] for start, numbers in self._added.items()}
        time = self.event_time
        head = _TIME.pack(time.passed, time.log_time, time.arrived)
        self._added = {}
        return [
            *self._seals.seal(self.position, added, (self._seen.newest,), head),
            *self._seals.forget((self._oldest,)),
        ]


def _fingerprints(part: bytes) -> list[bytes]:
    return [part[begin : begin + FINGERPRINT_BYTES] for begin in range(0, len(part), FINGERPRINT_BYTES)]
