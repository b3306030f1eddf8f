"""Settings of scoring."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ScoringSettings(BaseSettings):
    """How interactions are scored. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="SCORING_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    concurrency: int = Field(10, ge=1, le=1000, description="calls under way at a time in one worker")
    timeout: float = Field(5.0, gt=0, le=10, description="a call without an answer for so long has failed")
    retry_base: float = Field(1.0, gt=0, description="wait after the first failed attempt; it doubles with each")
    retry_cap: float = Field(30.0, gt=0, description="longest wait between two attempts")
    retries: int = Field(
        20, ge=0, le=1000, description="attempts after the first; then an interaction becomes a dead letter"
    )
    lowest: float = Field(0.0, description="a lower score is none")
    highest: float = Field(1.0, description="a higher score is none")

    details: bool = Field(False, description="ask CXone, too, for what the dialect names under scoring.details")
    details_timeout: float = Field(
        1.0, gt=0, le=10, description="seconds that CXone has for that; then a score is asked for without it"
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("SCORING_LOWEST must be less than SCORING_HIGHEST")
        return self
