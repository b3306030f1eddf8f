"""Guest messages of one partition -> admitted and throttled ones."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Counter

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import SOURCE_POSITION, Outgoing, Record
from schemas.records import GuestMessage, GuestThrottled
from schemas.topics import GUEST_ADMITTED, GUEST_MESSAGES, GUEST_THROTTLED
from streams.core.contract import Change, Chunk, Flush
from streams.core.positions import Positions, source_position
from streams.core.times import END_OF_TIME
from streams.stages.rate_limit.stored import LARGEST, Addition, Counted, guest_number
from streams.stages.rate_limit.window import Policy, Recent

STAGE = "rate-limit"

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"

# Outcomes, counted
OUTCOMES = ADMITTED, THROTTLED, REFUSED = ("admitted", "throttled", "refused")
MESSAGES = Counter("cxone_rate_limit_messages", "Guest messages by what became of them.", ["outcome"])


class Guests:
    """The guests of one partition.

    Messages go out with their position in this partition: a raw partition's go through several of these, and come
    together again in one of the next topic, where only the order of this one is kept.

    What becomes of a message follows from the records before it alone, so that it is the same after a kill. A record is
    taken once: records of one raw partition come in order, and what lies at or below the highest source position is a
    replay.

    Stored are the messages counted since the last seal, under `end of slice|last offset`: the changelog grows by what
    is new and forgets whole slices and eras. Of two lives of the stage that wrote the same key, the later one holds
    under it and under earlier offsets all that the other did: it may go over that, and needs nothing of it.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        policy: Policy,
        decode: Callable[[bytes], GuestMessage],
        encode: Callable[[GuestThrottled], bytes],
    ) -> None:
        self._partition, self._policy, self._decode, self._encode = partition, policy, decode, encode
        self._recent = Recent(policy)
        self._positions: Positions = {}
        self._covered = -1  # highest offset taken
        self._keys: dict[tuple[int, int], set[bytes]] = {}  # era, end of a slice -> keys of what is stored of it
        self._restore(stored)
        self._sealed = self._covered
        self._outputs: list[Outgoing] = []
        self._added: dict[int, list[Counted]] = {}  # end of a slice -> messages since the last seal

    def fold(self, chunk: Chunk) -> int:
        """Decide on the messages of a chunk. Returns how many records were refused: no message at all."""
        outcomes = dict.fromkeys(OUTCOMES, 0)
        positions = self._positions
        for record in chunk.records:
            raw, offset = source_position(record)
            if offset > positions.get(raw, -1):
                positions[raw] = offset
                self._covered = record.offset
                outcomes[self._take(record)] += 1
        for outcome, count in outcomes.items():
            if count:
                MESSAGES.labels(outcome).inc(count)
        return outcomes[REFUSED]

    def flush(self, _now: float, *, seal: bool) -> Flush:
        """Return outputs; sealing, also what was counted for all outputs since the last seal."""
        flush = Flush(outputs=self._outputs)
        self._outputs = []
        if seal and self._covered > self._sealed:
            flush.seal = [*self._additions(), *self._removals()]
            self._added, self._sealed = {}, self._covered
        return flush

    def _take(self, record: Record) -> str:
        try:
            message = self._decode(record.value or b"")
        except DecodeError as error:
            return self._refuse(record, UNDECODABLE, str(error))
        if not (0 <= message.sent_at < END_OF_TIME and 0 <= message.received_at < END_OF_TIME):
            return self._refuse(record, OUT_OF_RANGE, "times lie in 1970 to 9999")
        recent, guest = self._recent, guest_number(message.guest)
        era = recent.era
        at = recent.event_time(message.sent_at, message.received_at)
        if recent.era != era:
            self._added = {}  # of the era before: nothing will be near it
        allowed_at = recent.take(guest, at)
        if allowed_at == at or self._policy.count_refused:
            self._added.setdefault(recent.newest, []).append(Counted(record.offset, guest, at))
        topic, value = GUEST_ADMITTED.name, record.value
        if allowed_at > at:
            topic, value = GUEST_THROTTLED.name, self._encode(_throttled(message, allowed_at))
        position = SOURCE_POSITION, b"%d:%d" % (self._partition, record.offset)
        headers = (position, *(header for header in record.headers if header[0] != SOURCE_POSITION))
        self._outputs.append(Outgoing(topic, message.conversation_id.encode(), value, headers))
        return THROTTLED if allowed_at > at else ADMITTED

    def _refuse(self, record: Record, reason: str, detail: str) -> str:
        self._outputs.append(
            dead_letter(GUEST_MESSAGES.name, self._partition, record, stage=STAGE, reason=reason, detail=detail)
        )
        return REFUSED

    def _additions(self) -> Iterator[Change]:
        """Yield what was counted, slice by slice; the last value says that all of it is written."""
        recent = self._recent
        self._added.setdefault(recent.newest, [])
        for end, counted in self._added.items():
            for first in range(0, max(len(counted), 1), LARGEST):
                part = counted[first : first + LARGEST]
                last = end == recent.newest and first + LARGEST >= len(counted)
                key = b"%d|%d" % (end, self._covered if last else part[-1].offset)
                positions = self._positions if last else {}
                self._keys.setdefault((recent.era, end), set()).add(key)
                addition = Addition(
                    last, self._covered, recent.log_time, positions, part, recent.era, recent.back_since
                )
                yield Change(key, addition.pack(end))

    def _removals(self) -> Iterator[Change]:
        era, forgotten = self._recent.era, self._recent.forgotten
        for each in [each for each in self._keys if each[0] < era or each[1] <= forgotten]:
            yield from (Change(key, None) for key in self._keys.pop(each))

    def _restore(self, stored: Mapping[bytes, bytes]) -> None:
        """Take up what the newest whole seal covers: the rest was cut short by a kill, and its records come again."""
        additions: list[tuple[int, Addition]] = []
        for key, value in stored.items():
            end = int(key.partition(b"|")[0])
            addition = Addition.unpack(end, value)
            self._keys.setdefault((addition.era, end), set()).add(key)
            additions.append((end, addition))
        newest = max((each for _, each in additions if each.last), key=lambda each: each.covered, default=None)
        if newest is None:
            return
        self._covered, self._positions = newest.covered, newest.positions
        self._recent.resume(newest.log_time, newest.era, newest.back_since)
        counted = {
            message.offset: (end, message)
            for end, addition in additions
            if addition.era == newest.era and end > self._recent.forgotten
            for message in addition.counted
            if message.offset <= newest.covered
        }
        for end, message in counted.values():
            self._recent.count(end, message.guest, message.at)


def _throttled(message: GuestMessage, allowed_at: int) -> GuestThrottled:
    return GuestThrottled(
        event_id=message.event_id,
        conversation_id=message.conversation_id,
        fingerprint=message.fingerprint,
        queue_id=message.queue_id,
        sent_at=message.sent_at,
        received_at=message.received_at,
        allowed_at=allowed_at,
    )
