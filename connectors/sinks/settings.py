"""Settings of sinks."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.settings import HttpUrl


class InferenceSettings(BaseSettings):
    """The endpoint of the model that scores interactions."""

    model_config = SettingsConfigDict(
        env_prefix="INFERENCE_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    url: HttpUrl = Field(description="https URL that scores an interaction by POST (http to this machine)")
    token: SecretStr | None = Field(None, description="bearer token for the endpoint; none is sent when empty")
