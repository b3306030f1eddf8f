"""What verifying found."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What was done to a record, or to the trail as a whole."""

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT_OFF = "cut off"
    FORKED = "forked"
    REHASHED = "re-hashed"  # consistent in itself, but not what was signed
    UNSIGNED = "unsigned"  # no signed head confirms it, although one was due
    HEADS = "heads"  # the signed heads themselves were touched


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` names the record: file and line, or topic, partition and offset."""

    kind: Kind
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.why}"


@dataclass(slots=True)
class Report:
    """What was verified.

    Attributes:
        findings: the first of the records and the first of the heads; none if everything is as it was written.
        entries: different ones.
        repeated: entries that stand there twice, as they were: published again after a kill.
        unsigned: entries behind the last signed head.
        heads: signed heads that were verified.
        head: the last of them: SHA-256 of its line, to compare with later.
        head_at: its time, in milliseconds since the epoch.
    """

    findings: list[Finding] = field(default_factory=list)
    days: int = 0
    entries: int = 0
    repeated: int = 0
    unsigned: int = 0
    heads: int = 0
    head: str | None = None
    head_at: int | None = None
