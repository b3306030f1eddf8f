"""Settings of the door for webhooks."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.errors import ConfigurationError
from connectors.ingress.webhooks.callers import Callers, Scheme, known_callers


class WebhookSettings(BaseSettings):
    """Where the door is, and how much it takes. Durations are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="WEBHOOKS_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", description="address to listen on; TLS is the business of a proxy before it")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    verify: Scheme = Field(
        "secret",
        description="how callers show who they are: secret (X-CXone-Webhook-Secret), standard (Standard Webhooks)"
        " or hmac (X-Nexus-Signature-256, as NICE's Expert signs)",
    )
    instance: str = Field(
        "1",
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?$",
        description="name of this door among several, letters, digits and hyphens: no two may run under one name",
    )
    deadline: float = Field(
        10.0, gt=0, le=60, description="a request that is not committed after so long is answered 503"
    )
    queue: int = Field(5000, ge=1, le=100_000, description="requests that may wait for Kafka; more are answered 503")

    @property
    def transactional_id(self) -> str:
        """The name of this door's transactions: ACLs are given on its prefix, `cxone-webhooks-`."""
        return f"cxone-webhooks-{self.instance}"


class WebhookSecrets(BaseSettings):
    """What callers show or sign with."""

    model_config = SettingsConfigDict(env_prefix="CXONE_WEBHOOK_", env_ignore_empty=True, extra="ignore", frozen=True)

    secrets: SecretStr = Field(
        description="secrets of known callers, 16 characters or more each, separated by commas: two while one replaces"
        " the other"
    )

    def each(self) -> list[str]:
        return [secret.strip() for secret in self.secrets.get_secret_value().split(",")]

    def hidden(self) -> list[SecretStr]:
        """Return what no log line may show."""
        return [SecretStr(secret) for secret in self.each()]

    def callers(self, scheme: Scheme) -> Callers:
        """Return who is known under `scheme`. Raises ConfigurationError that repeats no secret."""
        try:
            return known_callers(scheme, self.each())
        except ValueError as wrong:
            problem = f"CXONE_WEBHOOK_SECRETS: {wrong} (WEBHOOKS_VERIFY is {scheme})."
        raise ConfigurationError(f"{problem} Expected: {type(self).model_fields['secrets'].description}.")
