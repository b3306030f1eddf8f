"""Settings of actions."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ActionsSettings(BaseSettings):
    """How webhooks are told apart. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    webhook_horizon: float = Field(
        86_400.0,
        gt=0,
        description="a webhook that is sent again is dropped for so long: some senders go on for 29 hours",
    )
