"""Settings of sinks."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.settings import HttpUrl, check_http_url

MOST_ENDPOINTS = 10
_TOKEN = re.compile(r"[!-+\--~]*", re.ASCII)  # what a header can carry, but for the comma


class InferenceSettings(BaseSettings):
    """The endpoint of the model that scores interactions."""

    model_config = SettingsConfigDict(
        env_prefix="INFERENCE_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    url: HttpUrl = Field(description="https URL that scores an interaction by POST (http to this machine)")
    token: SecretStr | None = Field(None, description="bearer token for the endpoint; none is sent when empty")


def _urls(value: SecretStr) -> SecretStr:
    urls = _parts(value)
    if len(urls) > MOST_ENDPOINTS:
        raise ValueError(f"names more than {MOST_ENDPOINTS} endpoints")
    for number, url in enumerate(urls, 1):
        try:
            check_http_url(url)
        except ValueError as wrong:
            raise ValueError(f"number {number} {wrong}") from None
    return value


def _tokens(value: SecretStr) -> SecretStr:
    for number, token in enumerate(_parts(value), 1):
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"number {number} holds a character that no header can carry")
    return value


def _parts(value: SecretStr | None) -> list[str]:
    return [] if value is None else [part.strip() for part in value.get_secret_value().split(",")]


class ForwardingSettings(BaseSettings):
    """Who is told of changes of dashboards that others made. Durations are in seconds.

    URLs are secrets here: BI tools put keys into them.
    """

    model_config = SettingsConfigDict(
        env_prefix="DASHBOARDS_FORWARD_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    urls: Annotated[SecretStr, AfterValidator(_urls)] | None = Field(
        None, description="https URLs that take each change by POST, separated by commas; none is told when empty"
    )
    tokens: Annotated[SecretStr, AfterValidator(_tokens)] | None = Field(
        None, description="bearer tokens, one for each URL, separated by commas; an empty one is not sent"
    )
    concurrency: int = Field(10, ge=1, le=100, description="most requests under way to one endpoint, of one worker")
    timeout: float = Field(5.0, gt=0, le=10, description="a request without an answer for so long has failed")
    retry_base: float = Field(1.0, gt=0, description="wait after the first failed attempt; it doubles with each")
    retry_cap: float = Field(30.0, gt=0, description="longest wait between two attempts")
    retries: int = Field(20, ge=0, le=1000, description="attempts after the first; then a change becomes a dead letter")

    @model_validator(mode="after")
    def _one_token_each(self) -> Self:
        urls, tokens = len(_parts(self.urls)), len(_parts(self.tokens))
        if tokens and tokens != urls:
            raise ValueError(
                f"DASHBOARDS_FORWARD_TOKENS are {tokens}, DASHBOARDS_FORWARD_URLS are {urls}: one for each"
            )
        return self

    def endpoints(self) -> list[tuple[str, SecretStr | None]]:
        """Return the URL and the token of each endpoint."""
        urls = _parts(self.urls)
        tokens = _parts(self.tokens) or [""] * len(urls)
        return [(url, SecretStr(token) if token else None) for url, token in zip(urls, tokens, strict=True)]
