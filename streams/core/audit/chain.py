"""Records of one partition -> a chain: each entry has the hash of the one before, its number, and its owner's epoch.

The chain is made by whoever owns the partition, and its head is part of that owner's state. So that a kill can neither
fork it nor leave a hole, entries are stored before they are published (an outbox): a flush writes

1. state: each new entry, then the head behind them;
2. outputs: the entries;
3. seal: each entry is taken out of the store again.

A kill before the head is stored leaves nothing: entries beyond the head do not count. A kill after it leaves entries
that the next owner publishes again, as they were: a reader sees the same entry twice, which is no fork. Two owners at a
time (one was suspended and does not know that it was replaced) continue the same head under two epochs, and verifying
names the record of the lower one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from schemas.envelope import Outgoing
from schemas.records.audit import AuditEntry, AuditRecord, Tip
from schemas.topics.audit import DASHBOARD_AUDIT
from streams.core.audit.canonical import canonical, digest, sayable
from streams.core.contract import Change, Flush

GENESIS = "0" * 64  # what stands before the first entry
HEAD = b"audit"  # key of the stored head; those of entries that are not published yet begin with it
LONGEST = 2000  # characters of a text in a record

_TEXTS = ("attempt", "dashboard_id", "payload_hash", "error", "actor", "etag_before", "etag_after")


def entry_hash(entry: AuditEntry) -> str:
    """Return the hash of everything in `entry` but its own hash. Raises ValueError where it has no canonical form."""
    content = msgspec.to_builtins(entry)
    del content["hash"]
    return digest(canonical(content))


def follow(tip: Tip | None, record: AuditRecord, *, partition: int, epoch: int) -> AuditEntry:
    """Return the entry that carries `record` behind `tip`; None begins the chain.

    Texts are cut to `LONGEST` characters, and made sayable in UTF-8.
    """
    texts: dict[str, Any] = {name: getattr(record, name) for name in _TEXTS}
    said: dict[str, Any] = {name: text and sayable(text, LONGEST) for name, text in texts.items()}
    record = replace(record, **said)
    sequence, previous = (tip["sequence"] + 1, tip["hash"]) if tip else (1, GENESIS)
    entry = AuditEntry(partition, sequence, epoch, previous, "", record)
    return replace(entry, hash=entry_hash(entry))


class Chain:
    """The chain of one partition, as its owner makes it.

    Args:
        partition: of the audit topic, and of the topic whose owner makes it.
        stored: what the stage stored of this partition; only keys that begin with `HEAD` are looked at.
        generation: of the owner in its consumer group, from 1.
        encode: entry -> bytes of the topic.

    Use: `add` records; then let `write` put them into the flush in which they have to be with the broker. What an
    earlier owner stored without sealing it is published again with the first `write`. A replay that adds one of these
    records, told by `(attempt, kind)`, adds nothing.
    """

    def __init__(
        self, partition: int, stored: Mapping[bytes, bytes], *, generation: int, encode: Callable[[AuditEntry], bytes]
    ) -> None:
        self._partition, self._encode = partition, encode
        head = stored.get(HEAD)
        self.tip: Tip | None = msgspec.json.decode(head, type=Tip) if head is not None else None
        self.epoch = (self.tip["epoch"] if self.tip else 0) + max(generation, 1)
        reached = self.tip["sequence"] if self.tip else 0
        outbox = {_sequence(key): value for key, value in stored.items() if key.startswith(HEAD) and key != HEAD}
        self._again = [
            msgspec.json.decode(value, type=AuditEntry) for number, value in sorted(outbox.items()) if number <= reached
        ]
        self._beyond = [number for number in outbox if number > reached]  # the head behind them was never stored
        self._new: list[AuditEntry] = []
        self._repeated = frozenset((entry.record.attempt, entry.record.kind) for entry in self._again)

    @property
    def again(self) -> list[AuditRecord]:
        """The records that an earlier owner stored without sealing them; none after the first `write`."""
        return [entry.record for entry in self._again]

    def add(self, record: AuditRecord) -> None:
        """Let `record` go out with the next `write`. Raises ValueError when a number in it has no canonical form."""
        if (record.attempt, record.kind) in self._repeated:
            return
        entry = follow(self.tip, record, partition=self._partition, epoch=self.epoch)
        self.tip = Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash)
        self._new.append(entry)

    def write(self, flush: Flush) -> None:
        """Put what was added into `flush`, before anything that the flush has already."""
        if not (self._new or self._again or self._beyond):
            return
        new, entries = self._new, [*self._again, *self._new]
        state = [Change(_key(entry.sequence), msgspec.json.encode(entry)) for entry in new]
        if new:
            state.append(Change(HEAD, msgspec.json.encode(self.tip)))
        stale = {entry.sequence for entry in entries}
        gone = [Change(_key(number), None) for number in self._beyond if number not in stale]
        flush.state[:0] = state
        flush.outputs[:0] = [
            Outgoing(DASHBOARD_AUDIT.name, entry.record.dashboard_id.encode(), self._encode(entry), (), self._partition)
            for entry in entries
        ]
        flush.seal[:0] = [*(Change(_key(number), None) for number in sorted(stale)), *gone]
        self._new, self._again, self._beyond = [], [], []


def _key(sequence: int) -> bytes:
    return b"%b|%d" % (HEAD, sequence)


def _sequence(key: bytes) -> int:
    return int(key.rpartition(b"|")[2])
