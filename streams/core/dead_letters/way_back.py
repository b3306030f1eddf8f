"""From a dead letter back to its frame, and the frame as it goes into the raw topic again.

docs/effectively-once.md says why this is the one way in which a dead letter counts after all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.envelope import REPLAY_FOR, REPLAYS, SOURCE_POSITION, Found, Headers, Outgoing
from streams.core.dead_letters.letter import MOST_REPLAYS, OURS, Letter, Place, first_headers, place, replays
from streams.core.dead_letters.settled import Decision, Ledger

STEPS = 4  # at most, from a record to its frame
NOT_ON_A_FRAME = (REPLAY_FOR, REPLAYS, SOURCE_POSITION)
RETRY = "cxone-retry-"

# Why a dead letter cannot be replayed
NEVER_ON_A_TOPIC = "a connector refused it: as it is, it will be refused again"
NOT_OF_A_FRAME = "it comes from no frame: {topic} holds what stages or persons make, and it is made again there"
NO_POSITION = "the refused record does not say which frame it came from"
GONE = "what leads to its frame is no longer on Kafka"


@dataclass(frozen=True, slots=True)
class Frame:
    """A record of a raw topic; its headers may have those of a dead letter behind them."""

    at: Place
    key: bytes | None
    value: bytes | None
    headers: Headers


class Trace:
    """The way from a letter to its frame.

    `wanted` is the record that has to be looked at next; `take` is given it. In the end there is `frame`, or `lost`
    says why there is none.

    Args:
        letter: the dead letter.
        positions_of: topic -> the topic that source positions of its records are of; None for raw topics. Topics whose
            records have no frame are not in it.
    """

    def __init__(self, letter: Letter, positions_of: Mapping[str, str | None]) -> None:
        self.letter = letter
        self.wanted: Place | None = None
        self.frame: Frame | None = None
        self.lost: str | None = None
        self._positions_of = positions_of
        self._steps = 0
        origin = letter.origin
        if origin is None:
            self.lost = NEVER_ON_A_TOPIC
        elif origin.topic not in positions_of:
            self.lost = NOT_OF_A_FRAME.format(topic=origin.topic)
        elif letter.cut:
            self.wanted = origin
        elif positions_of[origin.topic] is None:
            self.wanted = letter.at  # it holds the frame's bytes, for longer than the raw topic does
        else:
            self._follow(origin.topic, letter.position)

    def take(self, found: Found | None) -> None:
        """Look at the record that was wanted; None where it is not there any more."""
        at, self.wanted = self.wanted, None
        if at is None:
            return
        if found is None:
            self.lost = GONE
            return
        if at == self.letter.at and self.letter.origin is not None:
            at = self.letter.origin
        if self._positions_of[at.topic] is None:
            self.frame = Frame(at, found.key, found.value, found.headers)
        else:
            self._follow(at.topic, first_headers(found.headers).get(SOURCE_POSITION))

    def _follow(self, topic: str, position: bytes | None) -> None:
        before, self._steps = self._positions_of[topic], self._steps + 1
        at = place(f"{before}:{(position or b'').decode('ascii', 'replace')}")
        if at is None or self._steps > STEPS:
            self.lost = NO_POSITION
        else:
            self.wanted = at


def again(frame: Frame, stage: str) -> Outgoing:
    """Return the record that takes a frame into its raw topic again, for a stage."""
    kept = tuple(
        (name, content)
        for name, content in frame.headers
        if name not in NOT_ON_A_FRAME and name not in OURS and not name.startswith(RETRY)
    )
    number = b"%d" % (replays(frame.headers) + 1)
    return Outgoing(frame.at.topic, frame.key, frame.value, ((REPLAY_FOR, stage.encode()), *kept, (REPLAYS, number)))


# What became of a letter; anything else is why it stays open
REPLAYED, PARKED, TWICE = SETTLED = ("replayed", "parked", "replayed before")


def replay(trace: Trace, ledger: Ledger, now: int, *, parked_too: bool) -> tuple[str, list[Outgoing]]:
    """Return what becomes of a letter whose way was followed, and the records that must be committed together.

    What came back too often is parked, unless `parked_too`.
    """
    letter, frame = trace.letter, trace.frame
    if frame is None:
        return trace.lost or GONE, []
    name = str(frame.at)
    if ledger.was_replayed(letter.stage, name):
        return TWICE, [ledger.decide(letter, Decision.REPLAYED, now, name)]
    if replays(frame.headers) >= MOST_REPLAYS and not parked_too:
        return PARKED, [ledger.decide(letter, Decision.PARKED, now, name)]
    return REPLAYED, [again(frame, letter.stage), ledger.decide(letter, Decision.REPLAYED, now, name)]
