"""Settings of alerts."""

from pathlib import Path

from pydantic import Field, FilePath
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_RULES = Path(__file__).with_name("default.yaml")


class AlertsSettings(BaseSettings):
    """What alerts are. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="ALERT_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    rules: FilePath | None = Field(None, description="YAML file of rules; the shipped ones when empty")
    revise_for: float = Field(
        21_600.0,
        ge=1800,
        le=86_400,
        description="a late event may change the alerts of a minute for so long, in event time",
    )
