"""Judges what became of every Data Action and change of a dashboard. Shares no code with the stages.

The truth is the caller's ledger: what it sent, and what the door said. What was accepted must be typed once, though
some of it was sent twice, and every interaction scored once, with the score that the stand-in gives it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streams.demo.action_board import Actions

OK, BAD_REQUEST = 200, 400
DATA_ACTION = "/webhook/cxone-data-action"


@dataclass(frozen=True, slots=True)
class ActionVerdict:
    """`mismatches` has a sentence for everything that isn't as it should be; `checked` counts what was accepted."""

    checked: int
    mismatches: tuple[str, ...]


def judge(seen: Actions, score_of: Callable[[str], float]) -> ActionVerdict:
    """Compare what was accepted with what was made of it."""
    accepted = [(row["path"], orjson.loads(row["body"])) for row in seen.calls if row["status"] == OK]
    interactions = [_interaction(body) for path, body in accepted if path == DATA_ACTION]
    changes = [_change(body) for path, body in accepted if path != DATA_ACTION]
    typed = [(each.interaction_id, each.channel, each.customer_email, each.agent_id) for each in seen.typed]
    changed = [(each.dashboard_id, each.event_type, each.actor, each.etag) for each in seen.changes]
    scores = [(each.interaction_id, each.score) for each in seen.scores]
    return ActionVerdict(
        len(accepted),
        (
            *_differences("typed", interactions, typed),
            *_differences("typed", changes, changed),
            *_differences("scored", [(name, score_of(name)) for name, *_ in interactions], scores),
            *_refusals(seen),
        ),
    )


def _differences(what: str, wanted: Iterable[tuple[Any, ...]], found: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield a sentence for each that was not found just as often as it is wanted."""
    should, times = Counter(wanted), Counter(found)
    for each in should.keys() | times.keys():
        if should[each] != times[each]:
            yield f"{each[0]}: {what} {times[each]} times as {each[1:]}, should be {should[each]}"


def _refusals(seen: Actions) -> Iterator[str]:
    refused = sum(row["status"] == BAD_REQUEST for row in seen.calls)
    if seen.dead_letters.total() != refused:
        yield f"{seen.dead_letters.total()} webhooks are dead letters, {refused} were refused: {seen.dead_letters}"
    for row in seen.calls:
        if (row["status"] == OK) is not row["usable"]:
            yield f"a call was answered {row['status']}: {row['body']}"


def _interaction(body: Mapping[str, Any]) -> tuple[str, str, str | None, str | None]:
    return body["id"], body["channel"], body.get("customer", {}).get("email"), body.get("agent", {}).get("id")


def _change(body: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return body["dashboardId"], body["eventType"], body["actor"]["id"], body["etag"]
