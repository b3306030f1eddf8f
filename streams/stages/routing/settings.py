"""Settings of routing."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RoutingSettings(BaseSettings):
    """How guests' messages are put into CXone's queues. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="ROUTING_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    concurrency: int = Field(10, ge=1, le=1000, description="calls under way at a time in one worker")
    timeout: float = Field(5.0, gt=0, le=10, description="a call without an answer for so long has failed")
    retry_base: float = Field(2.0, gt=0, description="wait after the first failed attempt; it doubles with each")
    retry_cap: float = Field(30.0, gt=0, description="longest wait between two attempts")
    retries: int = Field(5, ge=0, le=20, description="attempts after the first; then a message becomes a dead letter")
    waiting: int = Field(
        1_000,
        ge=1,
        description="messages of a conversation that may wait for the first of them; more become dead letters",
    )
    first_only: bool = Field(
        default=False, description="true routes only the first message of a conversation, false every one"
    )
    remember: float = Field(
        86_400.0, gt=0, description="with ROUTING_FIRST_ONLY, a conversation is remembered for so long"
    )
    sla_target: float = Field(2.0, gt=0, description="a message should be routed so soon after it was received")
