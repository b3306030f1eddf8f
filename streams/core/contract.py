"""What the author of a stage has to know: chunks come in, a core folds them, flushes say what is to be written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from schemas.envelope import Outgoing, Record
from streams.core.steps import Steps


class StreamsError(Exception):
    """Any error of a stage or of what runs it: see `streams.runtime.errors`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What an agent receives: consecutive records of ONE partition, in order.

    Offsets may have gaps (transaction markers, compaction), never repeats; `number` has neither: it counts the chunks
    of a partition, from 0 after each seek.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A value to store; None deletes."""

    key: bytes
    value: bytes | None


@dataclass(slots=True)
class Flush:
    """What one partition has to write, in this order: state, then outputs, then the seal on both.

    `reached` says, by source topic, the last offset that is settled with it: chunks that end there or before are
    acknowledged. None says that everything folded so far is.

    `replays` counts records that were skipped since the last flush because they were taken before, by topic. `alarms`
    are sentences that a person must read. Both are told even when there is nothing to write. `event_time` is (passed,
    log time) in milliseconds, as of what was folded so far, of a stage that tells others of it.
    """

    state: list[Change] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    seal: list[Change] = field(default_factory=list)
    reached: dict[str, int] | None = None
    replays: dict[str, int] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    event_time: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.state or self.outputs or self.seal)


F_co = TypeVar("F_co", bound=Flush, covariant=True)


class Core(Protocol[F_co]):
    """The pure part of a stage, for one partition."""

    def fold(self, chunk: Chunk) -> int:
        """Take the records of a chunk into the state; return how many were refused."""

    def flush(self, now: float, /, *, seal: bool) -> F_co:
        """Return what has to be written since the last flush; `now` in seconds since the epoch.

        With `seal` it is all of it, and afterwards the chunks folded so far are acknowledged, as far as the flush says.
        Without (stages that publish eagerly) it is the outputs, and the state that has to be with the broker before
        them; the seal on both is left to a later flush, whose writes it precedes.
        """


@runtime_checkable
class FlushedInSteps(Protocol[F_co]):
    """A core whose flush may be large."""

    def flushing(self, now: float, /, *, seal: bool) -> Steps[F_co]:
        """Do what `flush` does in steps. Nothing is folded before the last."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a frame is not what its stage reads: one of the stage's fixed reasons, and a sentence."""

    reason: str
    detail: str
