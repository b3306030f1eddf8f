"""Audit trails of some days in memory, as the stage writes them, and what a tamperer does to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from schemas.records.audit import AuditEntry, AuditRecord, Tip
from streams.core.audit import heads
from streams.core.audit.canonical import digest
from streams.core.audit.chain import GENESIS, follow
from streams.core.audit.files_check import Day, check_files
from streams.core.audit.findings import Report
from streams.core.audit.journal import Append, Journal
from streams.core.audit.lines import END, EntryLine, day_file, heads_file, read_line, written

PRIVATE, PUBLIC = heads.new_key()
SIGN = heads.signer(heads.private_key(PRIVATE))
KEYS = heads.trusted([heads.public_key(PUBLIC)])

DAY = 86_400_000
MINUTE = 60_000
START = 1_790_000_000_000 // DAY * DAY + 23 * 3_600_000  # 23:00 UTC

Files = dict[str, bytes]


def record(number: int, **changes: object) -> AuditRecord:
    values = {
        "kind": "intent",
        "attempt": f"a-{number}",
        "timestamp": START + number,
        "dashboard_id": f"d-{number % 3}",
        "action": "UPDATE",
        "payload_hash": f"{number:064x}",
        "status": None,
        "error": None,
        "latency_ms": None,
        "actor": "ann",
        "etag_before": f'"{number}"',
        "etag_after": None,
    }
    return AuditRecord(**(values | changes))  # type: ignore[arg-type]


def entries(
    number: int, *, partitions: int = 2, epoch: int = 1, after: Sequence[AuditEntry] = (), actor: str = "ann"
) -> list[AuditEntry]:
    """Return so many entries behind those `after` which they come, the partitions in turn."""
    tips = {entry.partition: Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash) for entry in after}
    made = []
    for each in range(len(after), len(after) + number):
        partition = each % partitions
        content = record(each, actor=actor)
        entry = follow(tips.get(partition), content, partition=partition, epoch=epoch)
        tips[partition] = Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash)
        made.append(entry)
    return made


def apply(files: Files, writes: Sequence[Append]) -> None:
    for write in writes:
        files[write.file] = files.get(write.file, b"") + write.data


def trail(made: Sequence[AuditEntry], *, every: int = 40 * MINUTE, sign: heads.Sign = SIGN) -> Files:
    """Return the files that come of entries that arrive one by one, the last head confirming everything."""
    files: Files = {}
    journal, now = Journal(sign), START
    for offset, entry in enumerate(made):
        apply(files, journal.append([(offset, entry)], now)[0])
        now += every
    apply(files, journal.head(now)[0])
    return files


def days(files: Mapping[str, bytes]) -> list[str]:
    return sorted({name.split(".")[0].removeprefix("dashboard_audit_") for name in files})


def split(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True) if data else []


def opened(files: Mapping[str, bytes]) -> Iterator[Day]:
    for day in days(files):
        yield Day(day, split(files.get(day_file(day), b"")), split(files.get(heads_file(day), b"")))


def check(files: Mapping[str, bytes], **options: str) -> Report:
    return check_files(opened(files), KEYS, **options)


def hashed_anew(files: Mapping[str, bytes], at: int, **changes: object) -> Files:
    """Return the files after somebody changed the record `at` and hashed everything behind it anew; heads stay."""
    again = {name: data for name, data in files.items() if name == heads_file(name.split(".")[0][-8:])}
    tips: dict[int, Tip] = {}
    count, previous = 0, GENESIS
    for day in days(files):
        lines = []
        for data in split(files[day_file(day)]):
            line = msgspec.structs.replace(read_line(data.removesuffix(END)), previous=previous)
            if isinstance(line, EntryLine):
                partition, content = line.entry.partition, line.entry.record
                content = replace(content, **changes) if count == at else content  # type: ignore[arg-type]
                entry = follow(tips.get(partition), content, partition=partition, epoch=line.entry.epoch)
                tips[partition] = Tip(sequence=entry.sequence, epoch=entry.epoch, hash=entry.hash)
                line, count = msgspec.structs.replace(line, entry=entry), count + 1
            lines.append(written(line) + END)
            previous = digest(written(line))
        again[day_file(day)] = b"".join(lines)
    return again
