"""Settings of normalise."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class NormaliseSettings(BaseSettings):
    """What is believed of an interaction. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    clock_skew: float = Field(600.0, ge=0, description="an event time may be so far ahead of its arrival")
