"""What a model says of an interaction."""

import msgspec


class InteractionScore(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A finite score within the bounds of the settings. `scored_at` in milliseconds since the epoch.

    `model` is the name that the endpoint gave, if any; `latency_ms` is how long its answer took.
    """

    interaction_id: str
    score: float
    model: str | None
    latency_ms: int
    scored_at: int
