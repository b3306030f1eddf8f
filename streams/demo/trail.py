"""The audit trail that the demo's worker has written, as its judge reads it."""

from collections.abc import Iterator
from pathlib import Path

from schemas.records.audit import AuditEntry
from streams.core.audit.files_check import Day, check_files
from streams.core.audit.findings import Report
from streams.core.audit.heads import public_key, trusted
from streams.core.audit.lines import END, EntryLine, day_file, day_of, heads_file, read_line

KEY = "audit-key.pem"  # beside the folder


def entries(folder: Path) -> Iterator[AuditEntry]:
    """Yield the entries of the day files. Raises LineError."""
    for day in _days(folder):
        for data in day.lines:
            line = read_line(data.removesuffix(END))
            if isinstance(line, EntryLine):
                yield line.entry


def verified(folder: Path) -> Report:
    """Verify the day files with the key beside their folder."""
    return check_files(_days(folder), trusted([public_key((folder.parent / KEY).read_bytes())]))


def _days(folder: Path) -> Iterator[Day]:
    for day in sorted(filter(None, map(day_of, (path.name for path in folder.iterdir())))):
        files = [folder / name(day) for name in (day_file, heads_file)]
        yield Day(day, *(path.read_bytes().splitlines(keepends=True) if path.exists() else [] for path in files))
