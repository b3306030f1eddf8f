"""Settings of partials."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PartialsSettings(BaseSettings):
    """When minutes are final, and for how long they take events. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    minute_lateness: float = Field(
        30.0, ge=0, le=3600, description="a minute is final so long after its end, in event time"
    )
    minute_retention: float = Field(
        3600.0, ge=60, le=86_400, description="a minute takes late events for so long; later ones become dead letters"
    )
