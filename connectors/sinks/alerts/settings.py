"""Settings of those who are told of alerts."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.settings import HttpUrl


class ReceiverSettings(BaseSettings):
    """Who is told of alerts: one of the two. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="ALERT_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    alertmanager_url: HttpUrl | None = Field(
        None, description="base URL of an Alertmanager, what stands before /api/v2/alerts"
    )
    webhook_url: HttpUrl | None = Field(None, description="URL that takes each change of an alert by POST")
    token: SecretStr | None = Field(None, description="bearer token for either; none is sent when empty")
    timeout: float = Field(10.0, gt=0, le=60, description="an answer is waited for so long")
    resend: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="Alertmanager is told of open alerts so often; after three times it forgets them",
    )
