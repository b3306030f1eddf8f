"""How far event time has come in each partition of a raw topic, as the stage that reads it tells those behind it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventTimeProgress:
    """How far one partition of a raw topic has come. Times in milliseconds since the epoch.

    `topic` has `partitions` partitions, and this is `partition`. Up to `passed` its events have come, but for late
    ones; every event that comes later has a log time of at least `log_time`. Both count for a reader of a partition p
    of `destination` that has taken everything up to offset `reached[p]` (-1, or no such place: there is nothing to
    wait for). `caught_up` says that the stage has read all there was.
    """

    topic: str
    partition: int
    partitions: int
    destination: str
    passed: int
    log_time: int
    caught_up: bool
    reached: list[int]
