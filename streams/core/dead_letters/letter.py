"""A record of the dead letters -> who refused what, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.dead_letters import DEAD_DETAIL, DEAD_REASON, DEAD_SOURCE, DEAD_STAGE, DEAD_TRUNCATED
from schemas.envelope import REPLAY_FOR, REPLAYS, SOURCE_POSITION, Found, Headers
from schemas.topics import DEAD_LETTERS

OURS = frozenset({DEAD_STAGE, DEAD_REASON, DEAD_DETAIL, DEAD_SOURCE, DEAD_TRUNCATED})
MOST_REPLAYS = 3  # of one frame for one stage: what comes back after that many is parked


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


def place(text: str) -> Place | None:
    """Read `topic:partition:offset`; None where it is something else."""
    topic, _, rest = text.partition(":")
    partition, _, offset = rest.partition(":")
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    if len(partition) >= len(str(2**31)) or len(offset) >= len(str(2**63)):  # more than a client can ask for
        return None
    return Place(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its bytes: a hundred thousand of them fit into memory.

    Args:
        at: its place on the topic of dead letters.
        time: when it was written, ms since the epoch.
        stage: who refused the record: empty where nobody says.
        source: the refused record, as the dead letter names it.
        origin: its place on a topic; None where a connector refused it, and it never was on one.
        position: the header of the refused record that names what it came from.
        mark: the stage that it had been replayed for.
        replays: how often its frame had been replayed, where the frame itself was refused.
        cut: whether the bytes, or key and headers, are not all there.
    """

    at: Place
    time: int
    stage: str
    reason: str
    detail: str
    source: str
    origin: Place | None
    key: bytes | None
    position: bytes | None
    mark: str | None
    replays: int
    cut: bool

    @property
    def id(self) -> str:
        """What tells it from others. A kill can repeat a dead letter, never the record that it names."""
        return f"{self.stage}|{self.origin or self.at}"


def letter(found: Found) -> Letter:
    """Read a record of the dead letters. Whatever it lacks is empty."""
    said = dict(found.headers)  # the last of a name: an original may have been a dead letter itself
    first = first_headers(found.headers)
    source = _text(said.get(DEAD_SOURCE))
    return Letter(
        at=Place(DEAD_LETTERS.name, found.partition, found.offset),
        time=found.timestamp,
        stage=_text(said.get(DEAD_STAGE)),
        reason=_text(said.get(DEAD_REASON)),
        detail=_text(said.get(DEAD_DETAIL)),
        source=source,
        origin=place(source),
        key=found.key,
        position=first.get(SOURCE_POSITION),
        mark=_text(first[REPLAY_FOR]) if REPLAY_FOR in first else None,
        replays=replays(found.headers),
        cut=DEAD_TRUNCATED in said,
    )


def first_headers(headers: Headers) -> Mapping[str, bytes]:
    """Return the first header of each name: those of the record itself, before what others put behind."""
    return dict(reversed(headers))


def replays(headers: Headers) -> int:
    """Return how often a frame was replayed."""
    number = first_headers(headers).get(REPLAYS, b"0")
    return int(number) if number.isdigit() and len(number) <= len(str(MOST_REPLAYS)) else 0


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters a person means. Times in ms since the epoch, `until` not included."""

    stage: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None
    key: str | None = None

    def has(self, letter: Letter) -> bool:
        return (
            self.stage in {None, letter.stage}
            and self.reason in {None, letter.reason}
            and (self.since is None or letter.time >= self.since)
            and (self.until is None or letter.time < self.until)
            and (self.key is None or letter.key == self.key.encode())
        )


@dataclass(slots=True)
class Group:
    """Dead letters of one stage and reason. Times in ms; `parked` of the `count` came back too often."""

    stage: str
    reason: str
    count: int
    first: int
    last: int
    parked: int


def groups(letters: Iterable[tuple[Letter, bool]]) -> list[Group]:
    """Count letters, each with whether it is parked; the largest group first."""
    found: dict[tuple[str, str], Group] = {}
    for each, parked in letters:
        group = found.setdefault((each.stage, each.reason), Group(each.stage, each.reason, 0, each.time, each.time, 0))
        group.count += 1
        group.parked += parked
        group.first, group.last = min(group.first, each.time), max(group.last, each.time)
    return sorted(found.values(), key=lambda group: (-group.count, group.stage, group.reason))
