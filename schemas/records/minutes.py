"""Minutes of the contact centre: partial sums of each partition, and what they come to together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MinutePartial:
    """What one partition of events had of one minute and queue, up to one of its offsets.

    `minute` is the minute's start (ms since the epoch), `queue` '' over all queues. `events` and the sums are of all
    events up to offset `upto`: a partial with a higher one replaces this one. Sums are in whole milliseconds, so that
    they are exact; `handles` and `waits` count the events that named a time. `interactions` and `agents` are
    fingerprints of 8 bytes each, of which only the union over all partials counts: what an earlier partial had may be
    missing.
    """

    minute: int
    queue: str
    upto: int
    events: int
    handle_time: int
    handles: int
    wait_time: int
    waits: int
    interactions: bytes
    agents: bytes


@dataclass(frozen=True, slots=True)
class MinutePartials:
    """What is new of partition `source`, one of `sources` partitions. Times in milliseconds since the epoch.

    Minutes that end at `final` or before are final as far as this partition goes: what it had of them is in this record
    or in earlier ones, but for late events. Of minutes that end at `closed` or before nothing comes any more.
    """

    source: int
    sources: int
    final: int
    closed: int
    minutes: tuple[MinutePartial, ...]


@dataclass(frozen=True, slots=True)
class MetricSnapshot:
    """One minute of one queue, or over all queues (`queue` ''). `window` is its start (ms since the epoch, UTC).

    `events` counts interaction events that are not idle, `interactions` the distinct ones among them. The averages, in
    seconds, are over the `handles` and `waits` events that name such a time, 0 where none does; these numbers are None
    in a row that was written before they were part of it. A higher `revision` replaces every earlier row of the same
    window and queue; `final` says that the allowed lateness has passed (a late event may still raise the revision).
    `exact` is False when `interactions` or `active_agents` is a lower bound. `heard` is the number of partitions that
    had events of it.
    """

    window: int
    queue: str
    events: int
    interactions: int
    avg_handle_time: float
    avg_wait_time: float
    active_agents: int
    revision: int
    final: bool
    exact: bool
    heard: int
    handles: int | None = None
    waits: int | None = None
