"""Admitted messages of one partition -> batches for the CRM: one at a time, in order. Pure: who calls is `calls`.

The composition of a batch is stored before it is called, with the positions of everything before it. After a kill the
records come again and are put together along the stored cut, so that a call in doubt is repeated as it was.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import orjson

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records import GuestMessage
from schemas.topics import GUEST_ADMITTED
from streams.core.contract import Change, Chunk, Flush, Refused
from streams.core.taken import PositionError, Positions, Source, Taken
from streams.core.times import END_OF_TIME, iso

STAGE = "crm"
META = b""  # key of a partition's own record, the only one: what is settled, and the cut of the batch under way

UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"
REFUSED = "refused by the CRM"

Row = dict[str, str | None]
NOWHERE = (-1, -1)  # source position of what becomes a dead letter: it settles nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A batch is due with `size` messages, or when its first has waited for `wait` seconds."""

    size: int
    wait: float


class Message(NamedTuple):
    """A record and what the CRM is told of it, or why it cannot be told: a dead letter."""

    record: Record
    source: Source
    row: Row
    refused: Outgoing | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one partition that go out together. There is at least one."""

    partition: int
    messages: tuple[Message, ...]

    @property
    def rows(self) -> list[Row]:
        return [message.row for message in self.messages]

    @property
    def key(self) -> str:
        """The idempotency key: of the same messages always the same, of others another."""
        sources = ",".join("{}:{}".format(*message.source) for message in self.messages)
        return blake2b(f"{GUEST_ADMITTED.name}|{self.partition}|{sources}".encode(), digest_size=16).hexdigest()

    def halves(self) -> "tuple[Batch, Batch]":
        half = len(self.messages) // 2
        return Batch(self.partition, self.messages[:half]), Batch(self.partition, self.messages[half:])

    def refused(self, words: str) -> list[Outgoing]:
        """Return dead letters of all messages, with the CRM's words."""
        return [_dead(self.partition, message.record, Refused(REFUSED, words)) for message in self.messages]


@dataclass(slots=True)
class Due(Flush):
    """A flush with the batch that may be called once it is written."""

    batch: Batch | None = None


class Batches:
    """The messages of one partition that are not settled, in order; the first of them may be a batch under way.

    A message is settled when the CRM has it, or it is a dead letter; messages settle in order. Stored are the highest
    raw offsets that are settled, by raw partition: records of one raw partition come in order, so whatever lies at or
    below is a replay. What waits is not acknowledged.
    """

    def __init__(
        self,
        partition: int,
        stored: Mapping[bytes, bytes],
        *,
        policy: Policy,
        decode: Callable[[bytes], GuestMessage],
    ) -> None:
        self._partition, self._policy, self._decode = partition, policy, decode
        meta = orjson.loads(stored.get(META, b"{}"))
        self._settled: Positions = dict(map(tuple, meta.get("positions", ())))
        self._cut: list[tuple[int, int]] = list(map(tuple, meta.get("cut", ())))  # of the batch that was, or is, called
        self._taken = Taken(GUEST_ADMITTED.name, self._settled.items(), stage=STAGE)
        self._waiting: deque[Message] = deque()
        self._calling = False
        self._changed = False  # something was settled since the last flush
        self._refused: list[Outgoing] = []
        self._first: tuple[int, float] = (-1, 0.0)  # offset of the first that waits, and since when it is the first

    def fold(self, chunk: Chunk) -> int:
        """Let the messages of a chunk wait. Returns how many can be told to nobody."""
        refused = 0
        for record in chunk.records:
            try:
                source = self._taken.new(record)
                if source is None:
                    continue
                message = self._read(record, source)
            except PositionError as error:
                message = self._no_message(record, error.refused)
            except DecodeError as error:
                message = self._no_message(record, Refused(UNDECODABLE, str(error)))
            if message.refused is None:  # what cannot be read may claim to come from anywhere
                self._taken.positions[message.source[0]] = message.source[1]
            else:
                refused += 1
            self._waiting.append(message)
        return refused

    def flush(self, now: float, *, seal: bool) -> Due:  # noqa: ARG002 - nothing is eager
        """Return what is settled since the last flush, and the batch that is due if none is under way."""
        flush = Due()
        if not self._calling:
            while self._waiting and self._waiting[0].refused is not None:
                self._settle(self._waiting[0].record.offset)
            messages = self._due(now)
            if messages:
                flush.batch = Batch(self._partition, messages)
                self._cut, self._calling = [message.source for message in messages], True
        if self._changed or flush.batch:
            flush.outputs, self._refused = self._refused, []
            flush.seal = [Change(META, self._stored())]
            self._changed = False
        if self._waiting:
            flush.reached = {GUEST_ADMITTED.name: self._waiting[0].record.offset - 1}
        self._taken.tell(flush)
        return flush

    def answered(self, batch: Batch, refused: Sequence[Outgoing]) -> None:
        """Settle the batch under way: the CRM has its messages, apart from those that are dead letters now."""
        self._refused += refused
        self._settle(batch.messages[-1].record.offset)
        self._cut, self._calling = [], False

    def _settle(self, last: int) -> None:
        while self._waiting and self._waiting[0].record.offset <= last:
            message = self._waiting.popleft()
            if message.refused is None:
                raw, offset = message.source
                self._settled[raw] = offset
            else:
                self._refused.append(message.refused)
        self._changed = True

    def _due(self, now: float) -> tuple[Message, ...]:
        """Return the messages of the batch that is due; none if none is."""
        sendable = (message for message in self._waiting if message.refused is None)
        first = tuple(islice(sendable, max(len(self._cut), self._policy.size)))
        if self._cut:
            again = first[: len(self._cut)]
            found = [message.source for message in again]
            if found == self._cut:
                return again
            if found == self._cut[: len(found)]:
                return ()  # the rest is still to come, for it is not acknowledged
            self._cut = []  # retention has taken a part of it
        first = first[: self._policy.size]
        if len(first) == self._policy.size or (first and self._since(first[0].record, now) + self._policy.wait <= now):
            return first
        return ()

    def _since(self, record: Record, now: float) -> float:
        """Return since when a message waits: by the log, unless that is ahead of our clock."""
        if self._first[0] != record.offset:
            self._first = record.offset, now
        return min(record.timestamp / 1000, self._first[1])

    def _read(self, record: Record, source: Source) -> Message:
        message = self._decode(record.value or b"")
        if not 0 <= message.received_at < END_OF_TIME:
            return self._no_message(record, Refused(OUT_OF_RANGE, "the time of arrival lies in the years 1970 to 9999"))
        row = {
            "external_id": message.conversation_id,
            "fingerprint": message.fingerprint,
            "last_message": message.text,
            "queued_at": iso(message.received_at, "milliseconds"),
        }
        return Message(record, source, row)

    def _no_message(self, record: Record, refused: Refused) -> Message:
        return Message(record, NOWHERE, {}, _dead(self._partition, record, refused))

    def _stored(self) -> bytes:
        return orjson.dumps({"positions": list(self._settled.items()), "cut": self._cut})


def _dead(partition: int, record: Record, refused: Refused) -> Outgoing:
    return dead_letter(
        GUEST_ADMITTED.name, partition, record, stage=STAGE, reason=refused.reason, detail=refused.detail
    )
