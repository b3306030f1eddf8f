"""Day files and their heads -> the first record that is not as it was written.

Three things hold each other: each line has the hash of the line before it, each entry has that of the entry before it
in its partition, and each signed head has that of a line. Whoever alters a line has to hash everything behind it anew,
and cannot sign the heads. What no folder can show by itself is that its newest lines were cut off together with their
heads: compare it with a head that is kept elsewhere (`against`), or with the topic.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.records.audit import AuditHead
from streams.core.audit.canonical import digest
from streams.core.audit.chain import GENESIS
from streams.core.audit.chain_check import ChainCheck
from streams.core.audit.findings import Finding, Kind, Report
from streams.core.audit.heads import Trusted
from streams.core.audit.heads_check import HeadsCheck
from streams.core.audit.journal import HEAD_EVERY
from streams.core.audit.lines import END, FORMAT, HeaderLine, Line, LineError, day_file, heads_file, read_line


@dataclass(frozen=True, slots=True)
class Day:
    """The files of one day, line by line, as they are on the disk (with ends)."""

    day: str
    lines: Iterable[bytes]
    heads: Iterable[bytes] = ()


def check_files(days: Iterable[Day], keys: Trusted, *, against: str | None = None, since: str | None = None) -> Report:
    """Verify the files of a folder, oldest day first.

    Args:
        days: the files.
        keys: those whose heads are believed.
        against: SHA-256 of the line with a head, or of any line, that has to be there.
        since: the first day that has to be there (YYYYMMDD); None if the folder holds all since its beginning.
    """
    check = _Check(keys, against, since)
    for day in days:
        check.take(day)
    return check.report()


class _Check:
    def __init__(self, keys: Trusted, against: str | None, since: str | None) -> None:
        self._heads = HeadsCheck(keys, whole=since is None)
        self._against, self._since = against, since
        self._chains: dict[int, ChainCheck] = {}
        self._days = self._unsigned = 0
        self._day: str | None = None
        self._lines = self._before = 0  # of the day, of the day before
        self._line = self._head = GENESIS  # hashes of the last line, and of the last head of the day before
        self._finding: Finding | None = None
        self._missing: int | None = None  # number of the line that has not come, and may come late
        self._broken: ChainCheck | None = None  # the chain that was found broken

    def take(self, day: Day) -> None:
        head_before, self._head = self._heads.last, self._heads.hash
        signed = self._heads.take(day.day, day.heads)
        self._days += 1
        if self._finding is None and self._broken is None and self._day is None and not self._begins_with(day.day):
            self._find(Kind.REMOVED, day_file(str(self._since)), "it is not there")
        self._before, self._lines, self._missing, confirmed = self._lines, 0, None, 0
        for number, data in enumerate(day.lines, 1):
            if self._broken is not None or self._finding is not None:
                self._look_further(data)
                continue
            where = f"{day_file(day.day)} line {number}"
            self._step(day.day, number, data, where, head_before)
            for head in signed.get(number, ()):
                if head.line != self._line and self._is_sound:
                    why = f"head {head.number} confirms line {number} with another content: it, or one since the head "
                    why += f"before (line {confirmed}), was altered and all behind it hashed anew without the key"
                    self._find(Kind.REHASHED, f"{day_file(day.day)} line {confirmed + 1}", why)
                head_before, confirmed = head, number
            self._against = None if self._line == self._against else self._against
        if self._is_sound and signed and self._lines < max(signed):
            why = f"a signed head confirms {max(signed)} lines"
            self._find(Kind.CUT_OFF, f"{day_file(day.day)} line {self._lines + 1}", why)
        self._day, self._unsigned = day.day, max(self._lines - max(confirmed, 1), 0)

    def report(self) -> Report:
        heads, chains = self._heads, self._chains.values()
        finding = self._broken.finding if self._broken is not None else self._finding
        findings = [each for each in (finding, heads.finding) if each is not None]
        if not findings and self._against is not None and self._against not in heads.hashes:
            why = f"head {self._against[:12]}... is not in these files: what it confirmed was cut off"
            findings = [Finding(Kind.CUT_OFF, heads_file(self._day) if self._day else "the folder", why)]
        return Report(
            findings,
            days=self._days,
            entries=sum(each.entries for each in chains),
            repeated=sum(each.repeated for each in chains),
            unsigned=self._unsigned,
            heads=heads.taken,
            head=heads.hash if heads.taken else None,
            head_at=heads.last.time if heads.last else None,
        )

    @property
    def _is_sound(self) -> bool:
        return self._finding is None and self._broken is None

    def _begins_with(self, day: str) -> bool:
        return self._since is None or day == self._since

    def _find(self, kind: Kind, where: str, why: str) -> None:
        self._finding = Finding(kind, where, why)

    def _step(self, day: str, number: int, data: bytes, where: str, head: AuditHead | None) -> None:  # noqa: PLR0911
        if not data.endswith(END):
            why = "its end is missing: it was cut off, or its worker was killed in it and has not been back since"
            return self._find(Kind.CUT_OFF, where, why)
        data = data.removesuffix(END)
        try:
            line = read_line(data)
        except LineError as wrong:
            return self._find(Kind.ALTERED, where, str(wrong))
        if line.number > number:
            self._missing = number
            return self._find(Kind.REMOVED, where, f"line {line.number} stands here, {number} is not there")
        if line.number < number:
            return self._find(Kind.REORDERED, where, f"line {line.number} stands here")
        if isinstance(line, HeaderLine):
            self._follows(day, line, where)
        elif number == 1:
            return self._find(Kind.ALTERED, where, "it is no header")
        elif line.previous != self._line:
            before = f"{day_file(day)} line {number - 1}"
            return self._find(Kind.ALTERED, before, f"line {number} follows another one: either was altered")
        elif not self._heads.finding and (head is None or line.at > head.time + HEAD_EVERY):
            return self._find(Kind.UNSIGNED, where, "it was written when a signed head was due, and there is none")
        else:
            self._chain(line, where)
        self._line, self._lines = digest(data), number
        return None

    def _chain(self, line: Line, where: str) -> None:
        if isinstance(line, HeaderLine):
            return
        partition = line.entry.partition
        check = self._chains.get(partition)
        if check is None:
            # A folder may begin later than its topic, and of a long one the first days may be kept elsewhere.
            check = self._chains[partition] = ChainCheck(partition, whole=False)
        check.take(line.entry, f"{where} (partition {partition} offset {line.offset})")
        if check.finding is not None:
            self._broken = check

    def _follows(self, day: str, header: HeaderLine, where: str) -> None:
        if header.format != FORMAT or header.day != day or self._lines:
            return self._find(Kind.ALTERED, where, f"it is no header of {FORMAT} for {day}")
        if self._day is None:
            if header.previous_day is not None and self._since is None:
                self._find(Kind.REMOVED, day_file(header.previous_day), f"{where} follows it, and it is not there")
            return None
        if header.previous_day != self._day:
            missing = header.previous_day or self._day
            return self._find(Kind.REMOVED, day_file(missing), f"{where} does not follow {day_file(self._day)}")
        if header.previous != self._line:
            why = "it is not the line that the next day follows: that was cut off, or altered"
            return self._find(Kind.CUT_OFF, f"{day_file(self._day)} after line {self._before}", why)
        if header.previous_head != self._head and self._heads.finding is None:
            why = f"it names another last head of {self._day} than there is: it was altered, or that was cut off"
            return self._find(Kind.ALTERED, where, why)
        return None

    def _look_further(self, data: bytes) -> None:
        """See whether what is missing comes late: then it was reordered, not removed."""
        try:
            line = read_line(data.removesuffix(END))
        except LineError:
            return
        if self._broken is not None and not isinstance(line, HeaderLine):
            if line.entry.partition == self._broken.partition:
                self._broken.take(line.entry, f"line {line.number} of a later place")
        elif self._finding is not None and self._missing == line.number:
            self._finding = Finding(Kind.REORDERED, self._finding.where, f"{self._finding.why}, but behind it")
            self._missing = None
