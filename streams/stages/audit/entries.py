"""Entries of one partition of the audit topic -> what to write down of them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from schemas.avro import DecodeError
from schemas.dead_letters import dead_letter
from schemas.envelope import Outgoing, Record
from schemas.records.audit import AuditEntry
from schemas.topics import DASHBOARD_AUDIT
from streams.core.audit.chain import entry_hash
from streams.core.contract import Chunk, Flush

STAGE = "audit"
UNDECODABLE = "undecodable"
OUT_OF_RANGE = "out of range"


@dataclass(slots=True)
class Entries(Flush):
    """A flush of the stage: (offset, entry) to write down, and whether a signed head is due."""

    entries: list[tuple[int, AuditEntry]] = field(default_factory=list)
    head: bool = False

    def __bool__(self) -> bool:
        return bool(self.entries or self.outputs or self.head)


class Partition:
    """What came of one partition since the last flush. Nothing is stored: the topic is the buffer.

    Whatever is an entry is written down, also one that does not fit into its chain: verifying names it. An entry that
    no line can carry (numbers beyond 53 bits, an unknown status), or that is another partition's, is a dead letter.

    Args:
        head_due: whether a head is due at a time, in milliseconds since the epoch.
    """

    def __init__(
        self, partition: int, *, decode: Callable[[bytes], AuditEntry], head_due: Callable[[int], bool]
    ) -> None:
        self._partition, self._decode, self._head_due = partition, decode, head_due
        self._entries: list[tuple[int, AuditEntry]] = []
        self._refused: list[Outgoing] = []

    def fold(self, chunk: Chunk) -> int:
        """Take the entries of a chunk. Returns how many records were refused."""
        refused = 0
        for record in chunk.records:
            try:
                entry = self._decode(record.value or b"")
                entry_hash(
                    msgspec.convert(msgspec.to_builtins(entry), AuditEntry)
                )  # what no line carries is found here
                if entry.partition != self._partition:
                    raise OverflowError(f"it says that it is of partition {entry.partition}")  # noqa: TRY301
            except DecodeError as error:
                self._refuse(record, UNDECODABLE, str(error))
            except (ValueError, OverflowError) as error:
                self._refuse(record, OUT_OF_RANGE, str(error))
            else:
                self._entries.append((record.offset, entry))
                continue
            refused += 1
        return refused

    def flush(self, now: float, *, seal: bool) -> Entries:  # noqa: ARG002 - there is nothing to seal
        """Return what came since the last flush."""
        flush = Entries(outputs=self._refused, entries=self._entries, head=self._head_due(int(1000 * now)))
        self._entries, self._refused = [], []
        return flush

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        letter = dead_letter(DASHBOARD_AUDIT.name, self._partition, record, stage=STAGE, reason=reason, detail=detail)
        self._refused.append(letter)
