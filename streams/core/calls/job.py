"""One call, what came of it, and how it waits for another attempt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from schemas.envelope import Headers, Outgoing, Record
from streams.core.contract import Refused
from streams.core.taken import Source

# Headers of a record that waits in a retry tier
ATTEMPT = "cxone-retry-attempt"  # the number of the call that it waits for: 2 after the first has failed
DUE = "cxone-retry-due"  # milliseconds since the epoch
HISTORY = "cxone-retry-history"  # JSON: [[milliseconds, reason], ...], one for each attempt that failed
ORIGIN = "cxone-retry-origin"  # offset of the record that it is a copy of, in the same partition
_OURS = {ATTEMPT, DUE, HISTORY, ORIGIN}

LONGEST_REASON = 300  # characters
LARGEST = (1 << 63) - 1  # number in a story: anybody may write one, and what is stored of it are 64 bits

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Done:
    """The call succeeded."""

    outputs: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The call may succeed another time."""

    reason: str


Outcome = Done | Failed | Refused  # refused: the call will never succeed


@dataclass(frozen=True, slots=True)
class Tiers:
    """Where failed calls wait: in `topics[n]` for `delays[n]` ms after attempt n + 1, after later ones in the last.

    Without topics they wait in memory, each with its offset unsettled: for stages whose calls need no order, and whose
    attempts may be counted anew after a kill.
    """

    topics: tuple[str, ...]
    delays: tuple[int, ...]
    attempts: int

    @classmethod
    def growing(cls, topics: tuple[str, ...], *, base: float, cap: float, retries: int) -> "Tiers":
        """Return tiers whose delays double from `base` up to `cap` seconds."""
        delays = tuple(int(1000 * min(base * 2**n, cap)) for n in range(len(topics)))
        return cls(topics, delays, attempts=1 + retries)

    @classmethod
    def in_memory(cls, *, base: float, cap: float, retries: int) -> "Tiers":
        """Return no tiers, and waits that double from `base` up to `cap` seconds."""
        waits = [base]
        while waits[-1] < cap and len(waits) <= retries:
            waits.append(min(2 * waits[-1], cap))
        return cls((), tuple(int(1000 * min(wait, cap)) for wait in waits), attempts=1 + retries)

    def after(self, attempt: int) -> int:
        """Return the tier, or without any the number of the wait, after a failed attempt."""
        return min(attempt, len(self.delays)) - 1

    def for_wait(self, wait: int) -> int:
        """Return the first tier that waits at least so many milliseconds, or the last."""
        return next((tier for tier, delay in enumerate(self.delays) if delay >= wait), len(self.topics) - 1)


class Waiting(NamedTuple):
    """What a record in a retry tier waits for, and the offset of the record that it is a copy of."""

    attempt: int
    due: int
    offset: int


@dataclass(slots=True)
class Job(Generic[M]):
    """A record, and the call that it asks for. `source` is its source position: what makes it known when it returns."""

    key: str
    source: Source
    message: M
    record: Record
    topic: str
    offset: int  # of the record that asked for it first
    attempt: int = 1
    due: int = 0
    history: list[tuple[int, str]] = field(default_factory=list)

    @property
    def idempotency_key(self) -> str:
        """The same for each attempt, and after a kill."""
        return "{}-{}".format(*self.source)

    def waiting(self, topic: str, partition: int, due: int) -> Outgoing:
        """Return the record that waits in a tier for the attempt `self.attempt`."""
        return Outgoing(topic, self.record.key, self.record.value, self.headers(due), partition)

    def headers(self, due: int | None = None) -> Headers:
        """Return the record's own headers and the story of its attempts."""
        return (
            *((name, value) for name, value in self.record.headers if name not in _OURS),
            (ORIGIN, b"%d" % self.offset),
            (HISTORY, orjson.dumps(self.history)),
            *(() if due is None else ((ATTEMPT, b"%d" % self.attempt), (DUE, b"%d" % due))),
        )


def story(headers: Iterable[tuple[str, bytes]]) -> tuple[Waiting, list[tuple[int, str]]]:
    """Read what `Job.waiting` wrote: (what it waits for, history).

    Raises ValueError when the record is none of ours.
    """
    found = dict(headers)
    try:
        history = [(_number(at), _text(reason)) for at, reason in orjson.loads(found[HISTORY])]
        return Waiting(_number(found[ATTEMPT], 1), _number(found[DUE]), _number(found[ORIGIN])), history
    except (KeyError, TypeError, ValueError) as wrong:
        raise ValueError(f"the record carries no story of its attempts ({wrong!r})") from None


def _number(written: Any, least: int = 0) -> int:
    number = int(written)
    if not least <= number <= LARGEST:
        raise ValueError(f"a number is from {least} to {LARGEST}")
    return number


def _text(reason: object) -> str:
    if not isinstance(reason, str):  # a list may be nested deeper than Python recurses
        raise TypeError("a reason is text")
    return reason
