"""Judges what became of every guest's message. Shares no code with the stages.

The truth is what the simulator wrote to the connector; what came of it is said by the topics, and by the ledgers of the
routing API and the CRM.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from streams.demo.guest_board import Guests

LIMIT = 15  # messages that a guest may send
WINDOW_MS = 60_000  # in such a window, both ends included

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Lines of the simulator's ledgers: `said` in the order of writing, routing's `keys`, the CRM's `contacts`."""

    said: Rows
    keys: Rows
    contacts: Rows
    repeats: int  # calls of a key that CXone had taken before


@dataclass(frozen=True, slots=True)
class GuestVerdict:
    """`mismatches` has a sentence for everything that isn't as it should be.

    `unaccounted` messages have no fate, `overtaken` ones were routed after a later one of their conversation.
    """

    unaccounted: int
    overtaken: int
    repeats: int
    mismatches: tuple[str, ...]


def allowed(said: Rows) -> set[str]:
    """Return the event ids that the rule admits. Guests' clocks are right here, and nobody overtakes himself."""
    counted: defaultdict[bytes, deque[int]] = defaultdict(deque)
    admitted = set[str]()
    for message in said:
        browser = message["fingerprint"]
        times = counted[orjson.dumps([browser, message["conversation_id"] if browser is None else None])]
        while times and message["said_at"] - times[0] > WINDOW_MS:
            times.popleft()
        if len(times) < LIMIT:
            times.append(message["said_at"])
            admitted.add(message["event_id"])
    return admitted


def judge(guests: Guests, ledgers: Ledgers) -> GuestVerdict:
    """Compare what was said with the fate of each message."""
    admitted, throttled, routed = (
        Counter(fate.events.values()) for fate in (guests.admitted, guests.throttled, guests.routed)
    )
    dead = Counter((stage, event) for (stage, _), (_, event) in guests.dead.items())
    told = Counter[tuple[str, str]]()
    for row in ledgers.contacts:
        told[row["external_id"], row["last_message"]] += row["times"]
    rule = allowed(ledgers.said)
    unaccounted, mismatches = 0, list[str]()
    for message in ledgers.said:
        event = message["event_id"]
        fates = admitted.pop(event, 0), throttled.pop(event, 0)
        ends = routed.pop(event, 0), dead["routing", event]
        in_crm = told.pop((message["conversation_id"], message["text"]), 0)
        wanted = (1, 0) if event in rule else (0, 1)
        unaccounted += not any(fates) or (fates[0] > 0 and not any(ends))
        if fates != wanted:
            mismatches.append(f"{event}: admitted and throttled {fates} times, should be {wanted}")
        if sum(ends) != wanted[0]:
            mismatches.append(f"{event}: routed and a dead letter {ends} times, should be {wanted[0]} together")
        if in_crm + dead["crm", event] != wanted[0]:
            mismatches.append(f"{event}: {in_crm} times in the CRM, should be {wanted[0]}")
    for where, strangers in (("admitted", admitted), ("throttled", throttled), ("the CRM", told)):
        mismatches += [f"{stranger} was never said, and is in: {where}" for stranger in strangers]
    overtaken = [*_overtaken(guests, ledgers)]
    mismatches += [f"{event} was routed after a later message of its conversation" for event in overtaken]
    mismatches += [*_wrongly_taken(guests, ledgers), *_malformed(guests)]
    return GuestVerdict(unaccounted, len(overtaken), ledgers.repeats, tuple(mismatches))


def _taken(guests: Guests, ledgers: Ledgers) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (source position, event id or "", line) of the keys that CXone took, in their order."""
    for row in sorted((row for row in ledgers.keys if row["order"] is not None), key=lambda row: row["order"]):
        position = row["key"].replace("-", ":")
        yield position, guests.admitted.events.get(position, ""), row


def _wrongly_taken(guests: Guests, ledgers: Ledgers) -> Iterator[str]:
    """Look for keys that stand for something else than their message, and for results that CXone knows nothing of."""
    said = {message["event_id"]: (message["conversation_id"], message["text"]) for message in ledgers.said}
    unknown = set(guests.routed.events)
    for position, event, row in _taken(guests, ledgers):
        if said.get(event) != (row["conversation_id"], row["text"]):
            yield f"key {row['key']}: CXone took something else than the message: {row}"
        if position not in unknown:
            yield f"key {row['key']}: taken by CXone, and not in the results"
        unknown.discard(position)
    yield from (f"{position} is in the results, and was not taken by CXone" for position in unknown)


def _overtaken(guests: Guests, ledgers: Ledgers) -> Iterator[str]:
    """Yield the event ids that CXone took after a later message of the same conversation."""
    said = {message["event_id"]: number for number, message in enumerate(ledgers.said)}
    newest: dict[str, int] = {}
    for _, event, row in _taken(guests, ledgers):
        number, before = said.get(event, -1), newest.get(row["conversation_id"], -1)
        if number < before:
            yield event
        newest[row["conversation_id"]] = max(number, before)


def _malformed(guests: Guests) -> Iterator[str]:
    """Every wrong frame is a dead letter; one that was written again over a new connection may be one more."""
    dead = sum(stage in {"connect messaging", "messages"} for stage, _ in guests.dead)
    least = guests.said["malformed"]
    most = least + guests.said["written_again"]
    if not least <= dead <= most:
        yield f"{dead} frames of guests are dead letters, should be {least} to {most}: {guests.dead_letters}"
