"""What guests wrote, and what became of it."""

from dataclasses import dataclass

import msgspec


class GuestMessage(msgspec.Struct, frozen=True, gc=False):
    """What a guest wrote. Times in milliseconds since the epoch.

    `fingerprint` tells a browser; None when the message carried none. `sent_at` is the guest's clock; `received_at` is
    when the socket delivered the frame.
    """

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    text: str
    queue_id: str
    sent_at: int
    received_at: int

    @property
    def guest(self) -> str:
        """Who is limited: the browser, or without a fingerprint the conversation."""
        return self.conversation_id if self.fingerprint is None else self.fingerprint


@dataclass(frozen=True, slots=True)
class GuestThrottled:
    """A message that the rate limit refused. `allowed_at` (ms) is when the next one of this guest would be admitted."""

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    queue_id: str
    sent_at: int
    received_at: int
    allowed_at: int


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """A message that CXone has taken into a queue.

    `seconds` is from the moment the socket delivered the frame to CXone's answer, `attempts` how many calls that took.
    """

    event_id: str | None
    conversation_id: str
    fingerprint: str | None
    queue_id: str
    routing_id: str | None
    attempts: int
    received_at: int
    routed_at: int
    seconds: float
    within_target: bool
