"""Commands as they come from the topic, and what becomes of them. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.records import DashboardApplied, DashboardCommand
from streams.core.times import END_OF_TIME
from streams.stages.dashboards import rules
from streams.stages.dashboards.compiled import is_behind
from streams.stages.dashboards.json_text import UnreadableError, dumps, loads
from streams.stages.dashboards.memory import Memory
from streams.stages.dashboards.merge import Conflict
from streams.stages.dashboards.model import ID, Dashboard
from streams.stages.dashboards.plan import SOMEONE, conflict_json
from streams.stages.dashboards.yaml_source import shown

APPLY, ADOPT, FORGET = "apply", "adopt", "forget"
ROLL = "roll"  # apply again what was applied last, with its relative ranges as of now
KINDS = (APPLY, ADOPT, FORGET, ROLL)
ROLLER = "cxone-streams (range rolled on)"
ROLL_WITHIN = 600_000  # ms
LONGEST_COMMAND = 400_000  # bytes
MOST_CONFLICTS = 50
LONGEST_WORDS = 500  # characters of CXone's that are kept
LONGEST_VALUE = 1000  # characters of a value in a conflict

_ID = re.compile(ID)


@dataclass(frozen=True, slots=True)
class Order:
    """A command that is sound, with its document."""

    command: DashboardCommand
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a command."""

    status: str
    words: str
    etag: str | None = None
    conflicts: Sequence[dict[str, Any]] = field(default=())


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing became of it yet: it is to be tried again later."""

    reason: str


def reader(decode: Callable[[bytes], DashboardCommand]) -> Callable[[bytes], tuple[str, Order]]:
    """Return what reads a record's value: (dashboard id, order). It raises ValueError."""

    def read(value: bytes) -> tuple[str, Order]:
        if len(value) > LONGEST_COMMAND:
            raise ValueError(f"it is longer than {LONGEST_COMMAND:,} bytes")
        command = decode(value)
        if not _ID.fullmatch(command.dashboard_id):
            raise ValueError("the dashboard's id is none")
        if not (0 <= command.issued_at < END_OF_TIME and 0 <= command.expires_at < END_OF_TIME):
            raise ValueError("its times lie in the years 1970 to 9999")
        if command.kind not in KINDS:
            raise ValueError(f"the kind is none of {', '.join(KINDS)}")
        if command.kind == FORGET:
            return command.dashboard_id, Order(command, {})
        try:
            document = loads(command.document or "")
        except UnreadableError as wrong:
            raise ValueError(f"its document is none: {type(wrong).__name__}") from None
        return command.dashboard_id, Order(command, sound(document, command.dashboard_id, command.issued_at / 1000))

    return read


def sound(document: Any, dashboard: str, now: float) -> dict[str, Any]:
    """Return a document as files make them, if it is one of `dashboard` and right. `now` in seconds.

    Raises ValueError.
    """
    try:
        Dashboard.model_validate(document)
    except ValueError as wrong:
        raise ValueError(f"its document is none: {type(wrong).__name__}") from None
    if not isinstance(document, dict) or document["id"] != dashboard:
        raise ValueError("its document is of another dashboard")
    if broken := next(rules.broken(document, now), None):
        raise ValueError(f"its document is wrong: {shown(broken[0])} {broken[1]}")
    return document


def rolled(dashboard: str, memory: Memory, now: int) -> DashboardCommand | None:
    """Return the command that rolls relative ranges on, if they are a step behind at `now` (ms)."""
    history, at = memory.history, memory.applied_at
    if history is None or history.document is None or at is None:
        return None
    if not is_behind(history.document, at / 1000, now / 1000):
        return None
    return DashboardCommand(
        command_id=f"roll-{dashboard}-{at}",
        dashboard_id=dashboard,
        kind=ROLL,
        document=dumps(history.document).decode(),
        create=False,
        etag=None,
        actor=ROLLER,
        issued_at=now,
        expires_at=now + ROLL_WITHIN,
    )


def applied(command: DashboardCommand, verdict: Verdict, memory: Memory, now: int) -> DashboardApplied:
    """Return the record that tells of an outcome, and keeps the base of the next merge."""
    history = memory.history
    return DashboardApplied(
        dashboard_id=command.dashboard_id,
        command_id=command.command_id,
        actor=command.actor,
        status=verdict.status,
        words=verdict.words,
        conflicts=dumps(list(verdict.conflicts)).decode(),
        at=now,
        etag=verdict.etag,
        document=dumps(history.document).decode() if history and history.document is not None else None,
        payload=dumps(history.payload).decode() if history else None,
        applied_at=memory.applied_at,
    )


def told(conflicts: Sequence[Conflict], actor: str, by: str | None) -> list[dict[str, Any]]:
    """Return conflicts as they travel: the first of them, with long values cut."""
    found = [conflict_json(each, actor, by or SOMEONE) for each in conflicts[:MOST_CONFLICTS]]
    for each in found:
        for side in ("base", "ours", "theirs"):
            if side in each and len(text := dumps(each[side]).decode()) > LONGEST_VALUE:
                each[side] = f"{text[:LONGEST_VALUE]} ..."
    return found
