"""What CXone's stand-in saw of our writes, against the audit trail and against what others changed there. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.records.audit import AuditEntry, AuditRecord

NOT_LOOKED_AT = {401, 429}

Row = Mapping[str, Any]  # a line of the ledgers of the stand-in: see docs/simulator.md


def mistakes(writes: Iterable[Row], entries: Iterable[AuditEntry]) -> list[str]:
    """Return what the trail and the writes that CXone saw do not agree about, a sentence each.

    Each write has to carry the attempt's id as its key. One that CXone did not look at (401, 429) goes out again under
    the same. An attempt without a write is right only when its worker was killed between the two, or the request never
    arrived: then it was not applied. One that is settled as `unknown` may have been taken or not.
    """
    records: dict[str, dict[str, AuditRecord]] = {}
    for entry in entries:
        records.setdefault(entry.record.attempt, {})[entry.record.kind] = entry.record
    seen = list(writes)
    times = Counter(row["key"] for row in seen if row["status"] not in NOT_LOOKED_AT)
    found = [f"{key} was written {number} times" for key, number in times.items() if number > 1]
    for row in seen:
        found += _of_write(row, records.get(row["key"], {}))
    for attempt, kinds in records.items():
        last = _last(kinds)
        if "intent" not in kinds:
            if last.status == "applied":
                found.append(f"{attempt} was applied without an intent")
        elif last.status is None:
            found.append(f"{attempt} of {last.dashboard_id} has an intent and nothing else")
        elif last.status == "applied" and attempt not in times:
            found.append(f"{attempt} of {last.dashboard_id} is recorded as applied, and CXone saw no such write")
    return found


def lost_edits(edits: Iterable[Row], documents: Iterable[Row]) -> list[str]:
    """Return whose edits are no longer in the documents: the last one of each field counts."""
    last = {(row["dashboard_id"], tuple(row["path"])): row for row in edits if row["path"]}
    now = {row["id"]: row["document"] for row in documents}
    return [
        f"{name}: what {row['by']} set at {'/'.join(map(str, path))} is {_at(now.get(name), path)!r}, "
        f"not {row['value']!r}"
        for (name, path), row in last.items()
        if _at(now.get(name), path) != row["value"]
    ]


def _of_write(row: Row, kinds: Mapping[str, AuditRecord]) -> Iterator[str]:
    where = f"{row['method']} {row['order']} of {row['dashboard_id']} ({row['key']})"
    intent = kinds.get("intent")
    if intent is None:
        yield f"{where} has no intent"
        return
    for name, recorded, actual in (
        ("dashboard", intent.dashboard_id, row["dashboard_id"]),
        ("payload", intent.payload_hash, row["payload_hash"]),
        ("ETag", intent.etag_before, row["if_match"]),
    ):
        if recorded != actual:
            yield f"{where}: the intent's {name} is {recorded}"
    taken, last = row["etag_after"] is not None, _last(kinds)
    if row["status"] in NOT_LOOKED_AT or last.status in {None, "unknown"}:
        return
    if taken != (last.status == "applied"):
        yield f"{where} was {'' if taken else 'not '}taken, and is recorded as {last.status}"


def _last(kinds: Mapping[str, AuditRecord]) -> AuditRecord:
    return kinds.get("settled") or kinds.get("outcome") or kinds["intent"]


def _at(document: Any, path: Iterable[str | int]) -> Any:
    """Return what stands at a path, of widgets by their titles; None where it leads nowhere."""
    place = document
    for step in path:
        if isinstance(place, list):
            place = next((item for item in place if isinstance(item, dict) and item.get("title") == step), None)
        else:
            place = place.get(step) if isinstance(place, dict) else None
    return place
