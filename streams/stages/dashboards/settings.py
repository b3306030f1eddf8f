"""Settings of dashboards."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DashboardsSettings(BaseSettings):
    """How dashboards are put into CXone. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="DASHBOARDS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    concurrency: int = Field(10, ge=1, le=100, description="dashboards that one worker works on at a time")
    timeout: float = Field(5.0, gt=0, le=10, description="a request without an answer for so long has failed")
    roll: bool = Field(
        default=False, description="true applies a relative range such as -7d again when it is a unit (a day) behind"
    )
    webhook_url: str | None = Field(
        None, description="https URL of connect webhooks: at its start the stage lets CXone tell it of changes"
    )
    rate: float = Field(100.0, gt=0, le=1000, description="most requests per second of one worker")
    retry_base: float = Field(1.0, gt=0, description="wait after the first failed try; it doubles with each")
    retry_cap: float = Field(30.0, gt=0, description="longest wait between two tries")
    retries: int = Field(20, ge=0, le=100, description="tries after the first; then a command has failed")
