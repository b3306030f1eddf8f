"""Settings of analytics."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AnalyticsSettings(BaseSettings):
    """What is believed of an event. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_ANALYTICS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    # Minutes are final soon after their end: one clock that is far ahead would end everybody's.
    clock_skew: float = Field(60.0, ge=0, description="an analytics event's time may be so far ahead of its arrival")
