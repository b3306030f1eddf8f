"""What the audit trail of the dashboards holds: attempts, their chain, and the signed heads of it."""

from dataclasses import dataclass
from typing import Literal, TypedDict

Kind = Literal["intent", "outcome", "settled"]
Action = Literal["CREATE", "UPDATE"]
Status = Literal["applied", "conflict", "contended", "refused", "failed", "unknown", "expired"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One attempt to write a dashboard, before it (`intent`) or after it (`outcome`, `settled`).

    `attempt` is the same id in all records of one attempt. `timestamp` is in milliseconds since the epoch. `status` is
    None in an intent. `settled` follows an outcome `unknown` once a GET has shown what became of the attempt.
    `payload_hash` is what `streams.core.audit.canonical.payload_hash` makes of the document. `latency_ms` is from the
    request to its answer; None where there was none. The ETags are None where CXone named none.
    """

    kind: Kind
    attempt: str
    timestamp: int
    dashboard_id: str
    action: Action
    payload_hash: str
    status: Status | None
    error: str | None
    latency_ms: float | None
    actor: str
    etag_before: str | None
    etag_after: str | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A link of one partition's chain.

    `sequence` counts from 1 in each partition. `epoch` is that of the partition's owner: of two owners, the later one
    has the higher. `previous` is the hash of the entry before; `hash` is of everything else in this entry
    (`streams.core.audit.chain.entry_hash`). Both are 64 hexadecimal digits.
    """

    partition: int
    sequence: int
    epoch: int
    previous: str
    hash: str
    record: AuditRecord


class Tip(TypedDict):
    """The last entry of one partition's chain."""

    sequence: int
    epoch: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """How far the day files have come, signed.

    Attributes:
        time: milliseconds since the epoch.
        day: YYYYMMDD, the day file that it is about.
        lines: how many lines that file has.
        line: SHA-256 of the last of them, in hexadecimal, as are all hashes here.
        number: counts the heads of a folder from 1.
        previous: SHA-256 of the line with the head before.
        chains: the last entry of each partition, by partition.
        key: SHA-256 of the public key that verifies the signature.
        signature: Ed25519 over the RFC 8785 canonical JSON of all other fields, in hexadecimal.
    """

    time: int
    day: str
    lines: int
    line: str
    number: int
    previous: str
    chains: dict[str, Tip]
    key: str
    signature: str
