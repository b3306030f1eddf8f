"""Entries in the order of the topic -> lines of day files, and signed heads of them. Pure: who writes is the stage.

A line goes to the day (UTC) on which it is written; a clock that is set back does not go back to an earlier file. A
head is signed when the last one is older than `HEAD_EVERY`, before a line is added that is later than that, and as the
last of a day. The header of a day names the last line and the last head of the day before.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.records.audit import AuditEntry, AuditHead, Tip
from streams.core.audit.canonical import digest
from streams.core.audit.chain import GENESIS, entry_hash
from streams.core.audit.heads import Sign, Trusted, verified
from streams.core.audit.lines import (
    END,
    FORMAT,
    EntryLine,
    HeaderLine,
    Line,
    LineError,
    day_file,
    heads_file,
    read_head,
    read_line,
    written,
)

HEAD_EVERY = 60_000  # ms
REMEMBERED = 20_000  # hashes of entries that are in the files: what comes again after a kill is among them


class AlteredError(Exception):
    """The newest day file is not what its last signed head says: nothing may be added to it."""


@dataclass(frozen=True, slots=True)
class Append:
    """Lines to add to a file of the folder."""

    file: str
    data: bytes


@dataclass(frozen=True, slots=True)
class LastDay:
    """The newest day of a folder: whole lines, without their ends.

    `before` are the heads of the day before it, and `earlier` the last lines of that day: at midnight, they too may
    come again.
    """

    day: str
    lines: Iterable[bytes]
    heads: Sequence[bytes] = ()
    before: Sequence[bytes] = ()
    earlier: Iterable[bytes] = ()


@dataclass(slots=True)
class _Position:
    day: str = ""
    lines: int = 0
    line: str = GENESIS
    at: int = 0
    heads: int = 0
    head: str = GENESIS
    head_at: int = 0
    headed: int = -1  # lines under the last head of the day; -1: the day has none


class Journal:
    """What stands in the folder, and what comes next.

    Args:
        sign: signs a head.
        last: the newest day of the folder; None of an empty one. What stands behind its last head is taken as it is:
            its lines have to follow each other.
        keys: verify its last head.

    Raises AlteredError.
    """

    def __init__(self, sign: Sign, last: LastDay | None = None, keys: Trusted | None = None) -> None:
        self._sign = sign
        self._is = _Position()
        self.tips: dict[str, Tip] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._due = self._looked = 0  # when the next head is due, by the clock, and what that said last
        if last is not None:
            for data in last.earlier:
                with suppress(LineError):
                    self._remember(read_line(data))
            self._resume(last, keys or {})

    def append(self, entries: Iterable[tuple[int, AuditEntry]], now: int) -> tuple[list[Append], list[AuditHead]]:
        """Take (offset, entry) in the order of the topic; return what to write, in order, and the heads among it.

        Entries that are in the files already, as they come again after a kill, are left out. `now` is in milliseconds
        since the epoch.
        """
        new: list[tuple[int, AuditEntry]] = []
        for offset, entry in entries:
            if entry.hash not in self._known or entry_hash(entry) != entry.hash:
                self._known[entry.hash] = None
                new.append((offset, entry))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        writes: list[Append] = []
        heads: list[AuditHead] = []
        if not new and not self._is.day:
            return writes, heads
        is_due, clock = self.is_head_due(now), now
        now = max(now, self._is.at)
        self._turn(now, is_due=is_due or now >= self._is.head_at + HEAD_EVERY, writes=writes, heads=heads)
        self._due = clock + HEAD_EVERY if heads else self._due
        if new:
            lines = [self._line(EntryLine(self._is.lines + 1, now, *each, self._is.line)) for each in new]
            writes.append(Append(day_file(self._is.day), b"".join(lines)))
            for _, entry in new:
                self._note(entry)
        return writes, heads

    def head(self, now: int) -> tuple[list[Append], list[AuditHead]]:
        """Return a head of everything so far, whether or not one is due; none while there is no file."""
        writes: list[Append] = []
        heads: list[AuditHead] = []
        if self._is.day:
            self._head(max(now, self._is.at), writes, heads)
        return writes, heads

    def is_head_due(self, now: int) -> bool:
        """Whether a head is due at `now`, in milliseconds since the epoch, also of a clock that was set back."""
        if now < self._looked:
            self._due = min(self._due, now + HEAD_EVERY)
        self._looked = now
        return bool(self._is.day) and now >= self._due

    @property
    def is_signed(self) -> bool:
        """Whether the last head is of everything that stands in the folder."""
        return self._is.headed == self._is.lines

    def _turn(self, now: int, *, is_due: bool, writes: list[Append], heads: list[AuditHead]) -> None:
        """Bring the heads up to date, and begin the file of the day if it is not the newest one."""
        is_, day = self._is, _day(now)
        begins = day > is_.day
        if is_.day and (is_due or (begins and not self.is_signed)):
            self._head(now, writes, heads)
        if not begins:
            return
        header = HeaderLine(FORMAT, day, now, is_.day or None, is_.line, is_.head)
        is_.day, is_.lines, is_.headed = day, 0, -1
        writes.append(Append(day_file(day), self._line(header)))
        self._head(now, writes, heads)

    def _head(self, now: int, writes: list[Append], heads: list[AuditHead]) -> None:
        is_ = self._is
        chains = {partition: Tip(**tip) for partition, tip in self.tips.items()}
        head = self._sign(AuditHead(now, is_.day, is_.lines, is_.line, is_.heads + 1, is_.head, chains, "", ""))
        line = written(head)
        is_.heads, is_.head, is_.head_at, is_.headed, is_.at = head.number, digest(line), now, is_.lines, now
        writes.append(Append(heads_file(is_.day), line + END))
        heads.append(head)

    def _line(self, line: Line) -> bytes:
        data = written(line)
        self._is.lines, self._is.line, self._is.at = line.number, digest(data), line.at
        return data + END

    def _note(self, entry: AuditEntry) -> None:
        self.tips[str(entry.partition)] = Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash)

    def _resume(self, last: LastDay, keys: Trusted) -> None:
        is_ = self._is
        is_.day = last.day
        head = self._last_head(last, keys)
        signed = head.lines if head is not None and head.day == last.day else 0
        if head is not None:
            self.tips = {partition: Tip(**tip) for partition, tip in head.chains.items()}
        for number, data in enumerate(last.lines, 1):
            try:
                line = read_line(data)
            except LineError as wrong:
                raise AlteredError(f"{day_file(last.day)} line {number}: {wrong}") from None
            if line.number != number or (number > 1 and line.previous != is_.line):
                raise AlteredError(f"{day_file(last.day)} line {number} does not follow the line before it")
            is_.lines, is_.line, is_.at = number, digest(data), max(line.at, is_.at)
            if isinstance(line, EntryLine):
                self._remember(line)
                if number > signed:
                    self._note(line.entry)
            elif not last.heads and line.previous_head != is_.head:
                raise AlteredError(f"{day_file(last.day)} does not follow the last signed head")
            if head is not None and number == signed and is_.line != head.line:
                raise AlteredError(f"{day_file(last.day)} is not what was signed, up to line {number}")
        if is_.lines < signed:
            raise AlteredError(f"{day_file(last.day)} has {is_.lines} lines, but {signed} were signed")
        is_.headed = signed or -1

    def _remember(self, line: Line) -> None:
        if isinstance(line, EntryLine):
            self._known[line.entry.hash] = None

    def _last_head(self, last: LastDay, keys: Trusted) -> AuditHead | None:
        lines = last.heads or last.before
        if not lines:
            return None
        file = heads_file(last.day) if last.heads else "the heads of the day before"
        try:
            head = read_head(lines[-1])
        except LineError as wrong:
            raise AlteredError(f"{file}, last line: {wrong}") from None
        problem = verified(head, keys)
        if problem is None and last.heads and head.day != last.day:
            problem = f"it is of {head.day}"
        if problem is not None:
            raise AlteredError(f"{file}, last line: {problem}")
        self._is.heads, self._is.head = head.number, digest(lines[-1])
        self._is.head_at = self._is.at = head.time
        return head


def _day(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%d")
