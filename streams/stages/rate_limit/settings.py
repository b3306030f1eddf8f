"""Settings of the rate limit."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RateLimitSettings(BaseSettings):
    """How much a guest may write. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    guest_limit: int = Field(15, ge=1, le=1000, description="messages that a guest may send in a window")
    conversation_limit: int | None = Field(
        None,
        ge=1,
        le=2000,
        description="messages of a conversation in a window, whoever writes them; twice a guest's when empty",
    )
    tenant_limit: int = Field(
        600_000, ge=1, description="messages of all guests in a window; partitions share it evenly"
    )
    guest_window: float = Field(60.0, ge=1, le=86_400, description="length of the window of the guests' limit")
    guest_lateness: float = Field(
        60.0, ge=0, le=3600, description="a guest's message counts at the time it was sent, at most so long before now"
    )
    guest_clock_skew: float = Field(
        10.0, ge=0, le=3600, description="a guest's clock is believed up to so far ahead of a message's arrival"
    )
    guest_count_refused: bool = Field(
        default=False,
        description="true counts refused messages too: a guest that floods must pause before one is admitted",
    )
