"""Settings of percentiles."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PercentilesSettings(BaseSettings):
    """How hours are counted and published. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="STREAMS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    publish_interval: float = Field(
        1.0, ge=0, description="a changed window is published once in so long; 0 publishes at once"
    )
    publish_rows: int = Field(
        0, ge=0, description="rows a second that a partition publishes at most, the longest unpublished first; 0: all"
    )
    allowed_lateness: float = Field(300.0, ge=0, description="an hour is final so long after its end, in event time")
    window_retention: float = Field(
        172_800.0, ge=3600, description="an hour takes late events for so long; later ones become dead letters"
    )
    exact_values: int = Field(
        2048,
        ge=1,
        le=10_000,
        description="distinct durations an hour counts exactly; beyond it percentiles are within 1 %",
    )
