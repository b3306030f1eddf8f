"""The lines of the day files: canonical JSON, each with its number and the hash of the line before.

dashboard_audit_YYYYMMDD.jsonl        a header, then one line for each entry
dashboard_audit_YYYYMMDD.heads.jsonl  one line for each signed head
"""

import re
from typing import Any

import msgspec

from schemas.records.audit import AuditEntry, AuditHead
from streams.core.audit.canonical import canonical

FORMAT = "cxone-dashboard-audit/1"
END = b"\n"
_DAY_FILE = re.compile(r"dashboard_audit_(\d{8})\.jsonl")


class LineError(ValueError):
    """A line that is none of these files."""


class HeaderLine(msgspec.Struct, frozen=True, tag_field="type", tag="header", forbid_unknown_fields=True):
    """The first line of a day file: what it follows.

    Attributes:
        at: when it was written, in milliseconds since the epoch.
        previous_day: YYYYMMDD of the day file before; None in the first of all.
        previous: SHA-256 of its last line; `chain.GENESIS` in the first of all.
        previous_head: SHA-256 of its last head; `chain.GENESIS` in the first of all.
    """

    format: str
    day: str
    at: int
    previous_day: str | None
    previous: str
    previous_head: str
    number: int = 1


class EntryLine(msgspec.Struct, frozen=True, tag_field="type", tag="entry", forbid_unknown_fields=True):
    """An entry of the topic: `offset` is where it stands there, `number` its line, `at` when that was written (ms)."""

    number: int
    at: int
    offset: int
    entry: AuditEntry
    previous: str


Line = HeaderLine | EntryLine


def day_file(day: str) -> str:
    """Return the name of a day's file."""
    return f"dashboard_audit_{day}.jsonl"


def heads_file(day: str) -> str:
    """Return the name of the file with a day's heads."""
    return f"dashboard_audit_{day}.heads.jsonl"


def day_of(name: str) -> str | None:
    """Return the day of a day file, or None."""
    found = _DAY_FILE.fullmatch(name)
    return found[1] if found else None


def written(line: Line | AuditHead) -> bytes:
    """Return a line without its end."""
    return canonical(msgspec.to_builtins(line))


def read_line(data: bytes) -> Line:
    """Read what `written` wrote of a line. Raises LineError."""
    line: Line = _read(data, Line)
    return line


def read_head(data: bytes) -> AuditHead:
    """Read what `written` wrote of a head. Raises LineError."""
    head: AuditHead = _read(data, AuditHead)
    return head


def _read(data: bytes, type_: Any) -> Any:
    try:
        line = msgspec.json.decode(data, type=type_)
        again = written(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
        raise LineError(f"it is no line of these files ({wrong})") from None
    if again != data:
        raise LineError("it is not as it was written")
    return line
