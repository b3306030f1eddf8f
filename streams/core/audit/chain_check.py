"""Entries of one partition, in the order of the topic -> the first that is not what its owner wrote."""

from schemas.records.audit import AuditEntry, Tip
from streams.core.audit.chain import GENESIS, entry_hash
from streams.core.audit.findings import Finding, Kind


class ChainCheck:
    """Follows the chain of one partition until it breaks.

    It keeps 32 bytes of each entry: a copy of an entry that was published twice is no fork, however late it comes.

    Args:
        partition: whose chain it is.
        whole: whether the chain must begin with its first entry; a topic with a retention may begin later.
    """

    def __init__(self, partition: int, *, whole: bool) -> None:
        self.partition = partition
        self.tip: Tip | None = None
        self.first = 0  # the first sequence that was taken
        self.entries = self.repeated = 0
        self.finding: Finding | None = None
        self._whole = whole
        self._tip_at = ""
        self._hashes: dict[int, bytes] = {}  # by sequence
        self._epochs: list[tuple[int, int, str]] = []  # (first sequence, epoch, where) of each epoch
        self._missing: int | None = None  # the sequence that has not come, and may come late

    def take(self, entry: AuditEntry, where: str) -> None:
        """Take the next entry; `where` names it for a person."""
        if self._missing is not None:
            if self.finding is not None and entry.sequence == self._missing:
                why = f"record {entry.sequence} of partition {self.partition} stands behind later ones, at {where}"
                self.finding = Finding(Kind.REORDERED, self.finding.where, why)
                self._missing = None
            return
        if self.finding is None:
            self.finding = self._problem(entry, where)

    def holds(self, tip: Tip) -> bool:
        """Return whether the entry that `tip` names was among those taken."""
        return self._hashes.get(tip["sequence"]) == _bytes(tip["hash"])

    def _problem(self, entry: AuditEntry, where: str) -> Finding | None:
        name = f"record {entry.sequence} of partition {entry.partition}"
        if _hash(entry) != entry.hash or entry.partition != self.partition:
            return Finding(Kind.ALTERED, where, f"{name} does not have the hash that it had when it was written")
        expected, previous = (self.tip["sequence"] + 1, self.tip["hash"]) if self.tip else (1, GENESIS)
        if self.tip is None and entry.sequence > 1 and not self._whole:
            expected, previous = entry.sequence, entry.previous
        if entry.sequence < expected:
            return self._twice(entry, where, name)
        if entry.sequence > expected:
            self._missing = expected
            why = f"{entry.sequence - expected} records of partition {self.partition} before it, from {expected} on"
            return Finding(Kind.REMOVED, where, f"{why}, are missing")
        if entry.previous != previous:
            why = f"the next record, at {where}, follows another one: either was altered and hashed anew"
            return Finding(Kind.ALTERED, self._tip_at or where, why)
        if self.tip is not None and entry.epoch < self.tip["epoch"]:
            why = f"{name} is of epoch {entry.epoch}, whose owner was replaced: epoch {self.tip['epoch']} came before"
            return Finding(Kind.FORKED, where, why)
        self._accept(entry, where)
        return None

    def _accept(self, entry: AuditEntry, where: str) -> None:
        self.first = self.first or entry.sequence
        if self.tip is None or entry.epoch > self.tip["epoch"]:
            self._epochs.append((entry.sequence, entry.epoch, where))
        self.tip = Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash)
        self._tip_at = where
        self._hashes[entry.sequence] = _bytes(entry.hash)
        self.entries += 1

    def _twice(self, entry: AuditEntry, where: str, name: str) -> Finding | None:
        known = self._hashes.get(entry.sequence)
        if known is None or known == _bytes(entry.hash):
            self.repeated += 1  # known is None: it is older than what the topic still had at the beginning
            return None
        epoch = max((each for each in self._epochs if each[0] <= entry.sequence), default=(0, entry.epoch, where))[1]
        if entry.epoch > epoch:
            why = f"another record {entry.sequence} of partition {self.partition}, of epoch {epoch}, stood there before"
            return Finding(Kind.FORKED, where, f"{name}, of epoch {entry.epoch}, goes back: {why}, by a replaced owner")
        why = f"it is of epoch {entry.epoch}, and there is another one of epoch {epoch}"
        return Finding(Kind.FORKED, where, f"{name} is there twice: {why}")


def _hash(entry: AuditEntry) -> str | None:
    try:
        return entry_hash(entry)
    except ValueError:
        return None  # numbers that no owner writes


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode("utf-8", "replace")
