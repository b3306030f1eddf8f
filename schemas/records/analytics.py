"""What happened in the contact centre, as the analytics socket tells it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalyticsMetrics:
    """Durations in seconds; None where the frame named none. `state` is CXone's word, such as active or idle."""

    handle_time: float | None
    wait_time: float | None
    queue_time: float | None
    state: str | None


LONGEST_QUEUE = 1024  # characters of a queue's id: more would make state that no broker takes
INTERACTION = "interaction"  # the type of events that tell of one, whatever CXone calls it


@dataclass(frozen=True, slots=True)
class AnalyticsEvent:
    """One event. `timestamp` in milliseconds since the epoch (event time).

    `event_id` is CXone's, or else a hash of the frame's bytes: the same frame again is the same event, and five events
    of one interaction are five. `interaction_id` is None only where the event tells of no interaction.
    """

    event_id: str
    event_type: str
    timestamp: int
    interaction_id: str | None
    agent_id: str | None
    queue_id: str | None
    metrics: AnalyticsMetrics
    metadata: dict[str, str]

    @property
    def key(self) -> str:
        """Whom it tells of: the agent, or else the interaction, the queue, or nobody but itself."""
        return self.agent_id or self.interaction_id or self.queue_id or self.event_id
