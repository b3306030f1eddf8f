"""Guest messages of one partition -> admitted and throttled ones."""

from collections.abc import Callable, Mapping

import msgspec
from prometheus_client import Counter

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import REPLAY_FOR, SOURCE_POSITION, Outgoing, Record, size
from schemas.records import GuestMessage, GuestThrottled
from schemas.topics import GUEST_ADMITTED, GUEST_MESSAGES, GUEST_THROTTLED
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.sliced_seals import Slice, SlicedSeals
from streams.core.taken import PositionError, Taken, replayed_on
from streams.core.times import END_OF_TIME
from streams.stages.rate_limit.stored import Counted, Head, conversation_number, guest_number, pack, unpack
from streams.stages.rate_limit.window import Policy, Recent

STAGE = "rate-limit"

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"
TOO_LARGE = "too large"

LARGEST = 920_000  # bytes of a record that goes out: a broker takes little more by default, and a frame makes less

# Outcomes, counted
OUTCOMES = ADMITTED, THROTTLED, REFUSED = ("admitted", "throttled", "refused")
MESSAGES = Counter("cxone_rate_limit_messages", "Guest messages by what became of them.", ["outcome"])
FULL = Counter("cxone_rate_limit_full", "Throttled messages by the limit that refused them.", ["limit"])


class Guests:
    """The guests of one partition.

    Messages go out with their position in this partition: a raw partition's go through several of these, and come
    together again in one of the next topic, where only the order of this one is kept.

    What becomes of a message follows from the records before it alone, so that it is the same after a kill. Stored are
    the messages counted since the last seal, by era and slice.
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
        self._seals = SlicedSeals(stored)
        self._taken = self._restore()
        self._known = self._covered = self._seals.covered  # highest offset taken: by an earlier life, and by this
        self._outputs: list[Outgoing] = []
        self._added: dict[int, list[Counted]] = {}  # end of a slice -> messages since the last seal

    def fold(self, chunk: Chunk) -> int:
        """Decide on the messages of a chunk. Returns how many records were refused: no message at all."""
        outcomes = dict.fromkeys(OUTCOMES, 0)
        taken = self._taken
        for record in chunk.records:
            try:
                source = taken.new(record)
                if source is None:
                    continue
                message = self._decode(record.value or b"")
            except PositionError as error:
                outcomes[REFUSED] += self._garbage(record, error.refused)
                continue
            except DecodeError as error:
                outcomes[REFUSED] += self._garbage(record, Refused(UNDECODABLE, str(error)))
                continue
            taken.positions[source[0]] = source[1]
            self._covered = record.offset
            outcomes[self._take(record, message)] += 1
        for outcome, count in outcomes.items():
            if count:
                MESSAGES.labels(outcome).inc(count)
        return outcomes[REFUSED]

    def flush(self, _now: float, *, seal: bool) -> Flush:
        """Return outputs; sealing, also what was counted for all outputs since the last seal."""
        flush = Flush(outputs=self._outputs)
        self._outputs = []
        if seal and self._covered > self._seals.covered:
            flush.seal = self._seal()
        self._taken.tell(flush)
        return flush

    def _take(self, record: Record, message: GuestMessage) -> str:
        if not (0 <= message.sent_at < END_OF_TIME and 0 <= message.received_at < END_OF_TIME):
            return self._refuse(record, Refused(OUT_OF_RANGE, "times lie in 1970 to 9999"))
        key = message.conversation_id.encode()
        position = SOURCE_POSITION, b"%d:%d" % (self._partition, record.offset)
        own = [header for header in record.headers if header[0] not in {SOURCE_POSITION, REPLAY_FOR}]
        mark = [header for header in record.headers if replayed_on(header, STAGE.encode())][:1]
        headers = (*mark, position, *own)
        if size(key, record.value, headers) > LARGEST:
            detail = f"has more than {LARGEST} bytes with its conversation id as key and its headers"
            return self._refuse(record, Refused(TOO_LARGE, detail))
        allowed_at = self._decide(record, message)
        topic, value = GUEST_ADMITTED.name, record.value
        if allowed_at is not None:
            topic, value = GUEST_THROTTLED.name, self._encode(_throttled(message, allowed_at))
        self._outputs.append(Outgoing(topic, key, value, headers))
        return ADMITTED if allowed_at is None else THROTTLED

    def _decide(self, record: Record, message: GuestMessage) -> int | None:
        """Return when the guest's next message would be admitted; None when this one is.

        What is replayed for a stage behind this one was admitted before, at its time: it counts for nothing now.
        """
        if any(replayed_on(header, STAGE.encode()) for header in record.headers):
            return None
        recent, guest = self._recent, guest_number(message.guest)
        conversation = conversation_number(message.conversation_id)
        era = recent.era
        at = recent.event_time(message.sent_at, message.received_at)
        if recent.era != era:
            self._added = {}  # of the era before: nothing will be near it
        allowed_at = recent.take(guest, conversation, at)
        admitted = allowed_at == at
        if admitted or self._policy.count_refused:
            counted = Counted(record.offset, guest, conversation if admitted else None, at)
            self._added.setdefault(recent.newest, []).append(counted)
        if admitted:
            return None
        FULL.labels(recent.full).inc()
        return allowed_at

    def _garbage(self, record: Record, refused: Refused) -> bool:
        """Refuse what has no position that counts, unless an earlier life has. Returns whether it did."""
        if record.offset <= self._known:
            return False
        self._covered = record.offset
        self._refuse(record, refused)
        return True

    def _refuse(self, record: Record, refused: Refused) -> str:
        self._outputs.append(
            dead_letter(
                GUEST_MESSAGES.name, self._partition, record, stage=STAGE, reason=refused.reason, detail=refused.detail
            )
        )
        return REFUSED

    def _seal(self) -> list[Change]:
        recent, covered = self._recent, self._covered
        added: dict[Slice, list[bytes]] = {
            (recent.era, end): pack(counted, end, covered) for end, counted in self._added.items()
        }
        head = Head(recent.era, recent.log_time, recent.back_since, self._taken.stored())
        self._added = {}
        return [
            *self._seals.seal(covered, added, (recent.era, recent.newest), msgspec.json.encode(head)),
            *self._seals.forget((recent.era, recent.forgotten + 1)),
        ]

    def _restore(self) -> Taken:
        """Take up what the newest whole seal covers; return what was taken with it."""
        head = msgspec.json.decode(self._seals.head or b"{}", type=Head)
        self._recent.resume(head.log_time, head.era, head.back_since)
        counted = {
            message.offset: (end, message)
            for (era, end), covered, part in self._seals.restored()
            if era == head.era and end > self._recent.forgotten
            for message in unpack(part, end, covered)
        }
        for end, message in counted.values():
            self._recent.count(end, message.guest, message.conversation, message.at)
        return Taken(GUEST_MESSAGES.name, head.positions)


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
