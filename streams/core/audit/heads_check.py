"""Files of signed heads -> those that are to be believed, by the line that they confirm."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from schemas.records.audit import AuditHead
from streams.core.audit.canonical import digest
from streams.core.audit.chain import GENESIS
from streams.core.audit.findings import Finding, Kind
from streams.core.audit.heads import Trusted, verified
from streams.core.audit.lines import END, LineError, heads_file, read_head


class HeadsCheck:
    """Follows the heads of a folder until they break.

    Args:
        keys: those whose heads are believed.
        whole: whether they must begin with the first head.
    """

    def __init__(self, keys: Trusted, *, whole: bool) -> None:
        self.finding: Finding | None = None
        self.last: AuditHead | None = None
        self.hash = GENESIS  # of the last line
        self.hashes: set[str] = set()
        self.taken = 0
        self._keys, self._whole = keys, whole

    def take(self, day: str, lines: Iterable[bytes]) -> Mapping[int, Sequence[AuditHead]]:
        """Take the heads of a day; return those that are to be believed, by the number of the line they confirm."""
        confirmed: defaultdict[int, list[AuditHead]] = defaultdict(list)
        for number, data in enumerate(lines, 1):
            if self.finding is not None:
                break
            try:
                head = self._read(day, data)
            except LineError as wrong:
                self.finding = Finding(Kind.HEADS, f"{heads_file(day)} line {number}", str(wrong))
                break
            self.last, self.hash = head, digest(data.removesuffix(END))
            self.hashes.add(self.hash)
            self.taken += 1
            confirmed[head.lines].append(head)
        return confirmed

    def _read(self, day: str, data: bytes) -> AuditHead:
        if not data.endswith(END):
            raise LineError("its end is missing: it was cut off, or its worker was killed in it")
        head = read_head(data.removesuffix(END))
        if (problem := verified(head, self._keys)) is not None:
            raise LineError(problem)
        if head.day != day:
            raise LineError(f"it is of {head.day}")
        number, previous = (self.last.number, self.hash) if self.last else (0, GENESIS)
        if (self.last or self._whole) and (head.number, head.previous) != (number + 1, previous):
            raise LineError(f"head {head.number} does not follow the one before it: heads were removed or reordered")
        return head
