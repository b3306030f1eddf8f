"""Completed interactions -> campaign hours: what an hour is, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.compiled import hours
from schemas.envelope import Outgoing
from schemas.records import LONGEST_CAMPAIGN, CampaignHour, InteractionCompleted
from schemas.topics import CAMPAIGN_HOURLY
from streams.core.contract import Refused
from streams.core.rule import Rule
from streams.core.taken import FARTHEST
from streams.core.times import END_OF_TIME, LONGEST_DURATION, iso
from streams.stages.percentiles.declaration import DECLARATION
from streams.stages.percentiles.window import HOUR, Window

OUT_OF_RANGE = "out of range"
BOUNDS = (
    f"durations lie in 0 to {LONGEST_DURATION:.0f} seconds, times in 1970 to 9999, "
    f"and a campaign has at most {LONGEST_CAMPAIGN} characters"
)

Key = tuple[str, int]  # campaign id, start of the hour in ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Of windows. Times in milliseconds."""

    allowed_lateness: int
    retention: int
    exact_values: int


class Hours(Rule[InteractionCompleted, Key, Window]):
    """An interaction belongs to the hour that it was completed in. An hour ends `allowed_lateness` after itself."""

    declaration, kind = DECLARATION, Window

    def __init__(
        self,
        policy: Policy,
        *,
        decode: Callable[[bytes], InteractionCompleted],
        alike: set[bytes] | None = None,
        encode: Callable[[CampaignHour], bytes],
    ) -> None:
        """Take interactions that `decode` reads; it knows the headers in `alike` to be written as ours are."""
        self._policy, self._encode = policy, encode
        self.read, self.keep = decode, HOUR + policy.retention
        if alike is not None:
            self.usual_run = hours(
                alike, hour=HOUR, keep=self.keep, longest=LONGEST_DURATION, end=END_OF_TIME, farthest=FARTHEST
            )

    def place(self, event: InteractionCompleted) -> tuple[Key, int] | Refused:
        at = event.completed_at
        if (
            0 <= event.handle_time <= LONGEST_DURATION
            and 0 <= event.wait_time <= LONGEST_DURATION
            and 0 <= at < END_OF_TIME
            and len(event.campaign_id) <= LONGEST_CAMPAIGN
        ):
            return (event.campaign_id, at - at % HOUR), at
        return Refused(OUT_OF_RANGE, BOUNDS)

    def begin(self, _key: Key) -> Window:
        return Window()

    def add(self, value: Window, event: InteractionCompleted) -> None:
        handle, wait = value.handle.counts, value.wait.counts  # what `Durations.add` does, without two calls an event
        handle[event.handle_time] = handle.get(event.handle_time, 0) + 1
        wait[event.wait_time] = wait.get(event.wait_time, 0) + 1

    def settle(self, value: Window) -> None:
        value.handle.settle(self._policy.exact_values)
        value.wait.settle(self._policy.exact_values)
        value.revision += 1

    def row(self, key: Key, value: Window) -> Outgoing:
        campaign, hour = key
        return Outgoing(CAMPAIGN_HOURLY.name, f"{campaign}|{iso(hour)}".encode(), self._encode(value.row(*key)))

    def ends(self, key: Key, value: Window) -> int | None:
        return None if value.final else key[1] + HOUR + self._policy.allowed_lateness

    def end(self, value: Window) -> None:
        value.final = True

    def latest(self, key: Key, _value: Window) -> int:
        return key[1]

    def needs(self, key: Key, _at: int) -> int:
        return key[1]

    def store(self, value: Window) -> bytes:
        return value.stored()

    def restore(self, _key: Key, stored: bytes) -> Window:
        return Window.restored(stored)
