"""Finished interactions, and their percentiles by campaign and hour."""

from dataclasses import dataclass

import msgspec

LONGEST_CAMPAIGN = 256  # characters: more would make keys and rows that no broker takes


class InteractionCompleted(msgspec.Struct, frozen=True, gc=False):
    """A finished interaction. Durations in seconds, `completed_at` in milliseconds since the epoch (event time).

    `event_id` is None when the event carried none; `revision` rises when a source corrects an interaction.
    A struct for the reason that `Outgoing` is one.
    """

    event_id: str | None
    campaign_id: str
    handle_time: float
    wait_time: float
    completed_at: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one duration in one window, in seconds."""

    p50: float
    p90: float
    p95: float
    min: float
    max: float
    mean: float


@dataclass(frozen=True, slots=True)
class CampaignHour:
    """One campaign's hour. `hour_start` in milliseconds since the epoch (UTC).

    A row with a higher `revision` replaces every earlier one of the same key; `final` says that the allowed lateness
    has passed (a late event may still raise the revision); `exact` is False when the percentiles come from buckets of
    1 % relative error.
    """

    campaign_id: str
    hour_start: int
    count: int
    handle: Summary
    wait: Summary
    revision: int
    final: bool
    exact: bool
