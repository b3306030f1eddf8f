"""Which records of a stage topic were taken already: the one place that decides it.

Each record carries its source position, "raw partition:raw offset" of what it came from. The records of one raw
partition reach a partition in order (the publisher is idempotent and gives none of them up), and one that is published
again comes from an earlier place in the same order. So one number for each raw partition tells replays from news: the
highest offset that was taken.

A header is a claim, and anybody may write one. Therefore

* a position counts as taken only once the stage has read the record: what cannot be read moves nothing;
* a record without a position is refused, for two of them could not be told apart;
* a position further away than a topic can hold records is refused, for it would make replays of all that follow;
* a dead letter that was produced again, headers and all, is refused where it would be taken for a replay.

The one way to replay a dead letter is docs/effectively-once.md's: its frame goes into the raw topic again, with a mark
for whom it is. Stages before that one hand the mark on, it takes the mark off, and others pass over what has it.
"""

from collections.abc import Iterable

from schemas.dead_letters import DEAD_STAGE
from schemas.envelope import REPLAY_FOR, SOURCE_POSITION, Record
from streams.core.contract import Flush, Refused

LONGEST_OFFSET = 18  # digits: what is stored of them are 64 bits
LONGEST_PARTITION = 5  # digits: positions of more raw partitions would fill a record that a broker takes
FARTHEST = 10_000_000_000  # records between two that follow each other: a week of 16,500 a second in one raw partition
REMEMBERED = 1000  # raw partitions whose digits need not be read again

NO_POSITION = "no source position"
OUT_OF_REACH = "source position out of reach"
DEAD_BEFORE = "dead letter produced again"

Source = tuple[int, int]  # raw partition, raw offset
Positions = dict[int, int]  # raw partition -> highest raw offset


def replayed_on(header: tuple[str, bytes], stage: bytes) -> bool:
    """Whether a header marks what is replayed for a stage behind this one, which hands it on, mark and all.

    What is replayed for this stage itself was never passed on: it goes the way of any record.
    """
    return header[0] == REPLAY_FOR and header[1] != stage


class PositionError(ValueError):
    """A record that cannot be taken, whatever is in it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.detail)
        self.refused = refused


def source_position(record: Record) -> Source:
    """Return (raw partition, raw offset) of a record.

    Raises:
        PositionError: it carries none.
    """
    for name, value in record.headers:
        if name == SOURCE_POSITION:
            if value is None:
                break
            partition, _, offset = value.partition(b":")
            short = len(partition) <= LONGEST_PARTITION and len(offset) <= LONGEST_OFFSET
            if short and partition.isdigit() and offset.isdigit():
                return int(partition), int(offset)
            break
    raise PositionError(Refused(NO_POSITION, f"a record here has a header {SOURCE_POSITION}: raw partition:offset"))


class Taken:
    """What was taken, of one partition of a stage topic.

    `positions` is {raw partition: highest raw offset}; whoever folds a record sets it there, once the record is read.
    """

    __slots__ = ("_alarms", "_partitions", "_replays", "_stage", "_topic", "positions")

    def __init__(self, topic: str, positions: Iterable[Iterable[int]] = (), *, stage: str | None = None) -> None:
        """Begin with `positions`, pairs of raw partition and raw offset.

        What is replayed for another stage than `stage` is passed over; a stage that hands records on names none.
        """
        self._topic, self._stage = topic, None if stage is None else stage.encode()
        self.positions: Positions = {raw: offset for raw, offset in positions}  # noqa: C416 - pairs come as lists
        self._replays = 0
        self._alarms: list[str] = []
        self._partitions: dict[bytes, int] = {}  # as headers write them: reading one again takes half of `new`

    def new(self, record: Record) -> Source | None:
        """Return the source position of a record that is to be taken; None of one that was, or that is not ours.

        Raises:
            PositionError: the record must not be taken; `refused` says why.
        """
        digits, raw = b"", None
        for name, value in record.headers:
            if name == SOURCE_POSITION:
                partition, _, digits = (value or b"").partition(b":")
                raw = self._partitions.get(partition)
                break
            if name == REPLAY_FOR and self._stage not in {None, value}:
                return None
        if raw is None or len(digits) > LONGEST_OFFSET or not digits.isdigit():
            raw, offset = self._read(record)
        else:
            offset = int(digits)
        highest = self.positions.get(raw, -1)
        if offset > highest:
            if offset - highest > FARTHEST and highest >= 0:
                raise PositionError(self._out_of_reach(raw, highest, offset))
            return raw, offset
        if any(name == DEAD_STAGE for name, _ in record.headers):
            detail = "it would pass for a replay here: dead letters go back into the raw topic, without our headers"
            raise PositionError(Refused(DEAD_BEFORE, detail))
        self._replays += 1
        return None

    def tell(self, flush: Flush) -> None:
        """Put into a flush how many replays were skipped since the one before, and what a person must know at once."""
        if self._replays:
            flush.replays[self._topic] = self._replays
        flush.alarms += self._alarms
        self._replays, self._alarms = 0, []

    def stored(self) -> list[Source]:
        """Return what the next life begins with."""
        return list(self.positions.items())

    def _read(self, record: Record) -> Source:
        raw, offset = source_position(record)
        if len(self._partitions) < REMEMBERED:
            self._partitions[b"%d" % raw] = raw
        return raw, offset

    def _out_of_reach(self, raw: int, highest: int, offset: int) -> Refused:
        detail = f"raw partition {raw} was taken up to {highest}: {offset} is further on than a topic holds records"
        if not self._alarms:  # a flood of them says no more
            self._alarms.append(f"{self._topic}: {detail}")
        return Refused(OUT_OF_REACH, detail)
