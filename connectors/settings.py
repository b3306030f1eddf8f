"""Settings, one model per concern, from the environment and an optional `.env`.

`load` is the door: it turns every mistake into one `ConfigurationError` that names the variable, what was wrong and
what would be right. Secrets are `SecretStr`; neither they nor URLs are repeated in an error.
"""

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors import dotenv
from connectors.errors import ConfigurationError
from connectors.http.proxies import may_be_plain

_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:,\[\]/]+):\d{1,5}")
_LABEL = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"  # nothing that could lead a URL to another host
_HOSTS = r"^[A-Za-z0-9.-]*( *, *[A-Za-z0-9.-]+)*$"  # no wildcard
_TOKEN = re.compile(r"[!-~]+")
_SECURE = {"https": "http", "wss": "ws"}

# No setting, for all its name: what is imported looks at it, before any setting is read and in no file.
NO_EXTENSIONS = "CXONE_STREAMS_NO_EXTENSIONS"


def secure_url(url: str) -> str:
    """Return `url` if a secret may travel to it: TLS, or plain to this very machine or NETWORK_PLAIN_HOSTS.

    Raises ValueError, without the URL in its text.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a bad port is found only when asked for
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme not in _SECURE.keys() | set(_SECURE.values()) or not host:
        raise ValueError("is no URL with a scheme and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must carry no credentials: they have settings of their own")
    if parts.fragment or url.endswith("#"):
        raise ValueError("must have no fragment (what follows a #)")
    if parts.scheme not in _SECURE and not may_be_plain(host):
        raise ValueError("must be encrypted (https or wss), except to this machine")
    return url


def check_http_url(url: str) -> str:
    """Return `url` if it is a `secure_url` for HTTP; raise ValueError otherwise."""
    return _scheme(url, "https")


def check_ws_url(url: str) -> str:
    """Return `url` if it is a `secure_url` for a WebSocket; raise ValueError otherwise."""
    return _scheme(url, "wss")


def _scheme(url: str, secure: str) -> str:
    if urlsplit(secure_url(url)).scheme not in {secure, _SECURE[secure]}:
        raise ValueError(f"must begin with {secure}://")
    return url


def _servers(value: str) -> str:
    for server in value.split(","):
        if not _SERVER.fullmatch(server.strip()):
            raise ValueError(f"{server.strip()!r} is not host:port")
    return value


def _replicas(value: int) -> int:
    if value != -1 and value < 1:
        raise ValueError("must be 1 or more, or -1 for the broker's default")
    return value


HttpUrl = Annotated[str, AfterValidator(check_http_url)]
WsUrl = Annotated[str, AfterValidator(check_ws_url)]


class KafkaSettings(BaseSettings):
    """How clients reach the brokers."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", env_ignore_empty=True, extra="ignore", frozen=True)

    bootstrap_servers: Annotated[str, AfterValidator(_servers)] = Field(
        "localhost:9092", description="brokers to ask first, host:port separated by commas"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (counts for the SASL protocols)"
    )
    sasl_username: str | None = Field(None, description="user name for the SASL protocols")
    sasl_password: SecretStr | None = Field(None, description="password for the SASL protocols")
    ssl_ca_location: FilePath | None = Field(
        None, description="PEM file with the certificate authority of the brokers; the system's when empty"
    )
    create_topics: bool = Field(
        default=True, description="create missing topics at start; false where clients have no right to create topics"
    )
    replication_factor: Annotated[int, AfterValidator(_replicas)] = Field(
        -1, description="replicas of a created topic; -1 takes the broker's default"
    )
    linger: float = Field(
        0,
        ge=0,
        le=1,
        description="seconds that raw frames, and what stages with state publish, wait for more of it: larger batches"
        " are cheaper to read",
    )

    @model_validator(mode="after")
    def _credentials_complete(self) -> Self:
        if self.security_protocol.startswith("SASL_"):
            for name in ("sasl_username", "sasl_password"):
                if getattr(self, name) is None:
                    raise ValueError(f"{variable(type(self), name)} is needed for {self.security_protocol}")
        return self

    def librdkafka(self) -> dict[str, object]:
        """Return the connection part of a librdkafka configuration. The password is in it: never log it."""
        config: dict[str, object] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.sasl_password is not None and self.security_protocol.startswith("SASL_"):
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password.get_secret_value()
        if self.ssl_ca_location is not None and self.security_protocol.endswith("SSL"):
            config["ssl.ca.location"] = str(self.ssl_ca_location)
        return config

    def lingering(self) -> dict[str, object]:
        """Return `librdkafka` for publishers whose records wait for more of them."""
        return self.librdkafka() | {"linger.ms": int(1000 * self.linger)}


class NetworkSettings(BaseSettings):
    """Whom secrets may travel to unencrypted, beside this machine: see `connectors.http.proxies.may_be_plain`."""

    model_config = SettingsConfigDict(env_prefix="NETWORK_", env_ignore_empty=True, extra="ignore", frozen=True)

    plain_hosts: str = Field(
        "", pattern=_HOSTS, description="names of hosts on a network that nobody else is on, separated by commas"
    )


class RegistrySettings(BaseSettings):
    """Where schema ids come from: a schema registry, or without a URL the file of ids in `schemas/`."""

    model_config = SettingsConfigDict(env_prefix="SCHEMA_REGISTRY_", env_ignore_empty=True, extra="ignore", frozen=True)

    url: HttpUrl | None = Field(None, description="https URL of the schema registry; the checked-in ids when empty")
    username: str | None = Field(None, description="user name at the schema registry")
    password: SecretStr | None = Field(None, description="password at the schema registry")

    @model_validator(mode="after")
    def _credentials_complete(self) -> Self:
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            other = "username" if self.password is None else "password"
            raise ValueError(
                f"{variable(type(self), missing)} is not set. Expected: both or none, and"
                f" {variable(type(self), other)} is set"
            )
        return self


class DialectSettings(BaseSettings):
    """Which dialect the tenant's CXone speaks: all that a stage needs to know of CXone."""

    model_config = SettingsConfigDict(env_prefix="CXONE_", env_ignore_empty=True, extra="ignore", frozen=True)

    dialect: str = Field("v2", description="name of a shipped dialect, or path of a YAML file")


class CxoneSettings(DialectSettings):
    """The tenant at CXone. Which of the names a dialect needs is up to its URLs."""

    org_domain: str | None = Field(
        None, pattern=_LABEL, description="the tenant's name in host names: acme for acme.cxone.com"
    )
    region: str | None = Field(
        None, pattern=_LABEL, description="the tenant's region, for dialects whose URLs have it: na1"
    )
    client_id: str = Field(description="OAuth client id")
    client_secret: SecretStr = Field(description="OAuth client secret")
    interactions_token_url: HttpUrl | None = Field(None, description="full token URL instead of the dialect's")
    interactions_ws_url: WsUrl | None = Field(
        None, description="full URL of the events socket instead of the dialect's"
    )
    messaging_token_url: HttpUrl | None = Field(None, description="full token URL instead of the dialect's")
    messaging_ws_url: WsUrl | None = Field(
        None, description="full URL of the web-messaging socket instead of the dialect's"
    )
    dashboards_token_url: HttpUrl | None = Field(None, description="full token URL instead of the dialect's")
    dashboards_api_url: HttpUrl | None = Field(
        None, description="base of the API's URLs instead of the dialect's: what stands before their paths"
    )
    messaging_api_url: HttpUrl | None = Field(
        None, description="base of the API's URLs instead of the dialect's: what stands before their paths"
    )
    scoring_token_url: HttpUrl | None = Field(None, description="full token URL instead of the dialect's")
    scoring_api_url: HttpUrl | None = Field(
        None, description="base of the API's URLs instead of the dialect's: what stands before their paths"
    )
    analytics_token_url: HttpUrl | None = Field(None, description="full token URL instead of the dialect's")
    analytics_api_url: HttpUrl | None = Field(
        None, description="base of the API's URLs instead of the dialect's: what stands before their paths"
    )
    analytics_ws_url: WsUrl | None = Field(
        None, description="full URL of the analytics socket instead of the dialect's"
    )


class InfluxSettings(BaseSettings):
    """The InfluxDB v2 bucket that the hourly figures are written to."""

    model_config = SettingsConfigDict(env_prefix="INFLUX_", env_ignore_empty=True, extra="ignore", frozen=True)

    url: HttpUrl = Field("http://localhost:8086", description="URL of InfluxDB")
    token: SecretStr = Field(description="API token with the right to write to the bucket")
    org: str = Field(description="organisation (name or id)")
    bucket: str = Field(description="bucket (name or id)")
    batch_lines: int = Field(5000, ge=1, description="most lines in one write")
    timeout: float = Field(10.0, gt=0, description="seconds to wait for InfluxDB's answer")


class CrmSettings(BaseSettings):
    """The CRM that learns what guests wrote."""

    model_config = SettingsConfigDict(
        env_prefix="CRM_", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    url: HttpUrl = Field(description="https URL that takes lists of messages by POST (http to this machine)")
    token: SecretStr | None = Field(None, description="bearer token for the CRM; none is sent when empty")
    batch: int = Field(5, ge=1, le=1000, description="messages in one request")
    wait: float = Field(30.0, ge=0, description="seconds after which a message goes out with fewer others")
    timeout: float = Field(10.0, gt=0, description="seconds to wait for the CRM's answer")
    concurrency: int = Field(4, ge=1, description="most requests under way at a time, of one worker")


class LogSettings(BaseSettings):
    """What workers and connectors log."""

    model_config = SettingsConfigDict(env_prefix="LOG_", env_ignore_empty=True, extra="ignore", frozen=True)

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lambda text: str(text).lower())] = (
        Field("info", description="debug, info, warning or error; at debug, routing tells of each message")
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def load(model: type[Settings], *, env_file: Path = Path(".env")) -> Settings:
    """Read `model` from the environment and, where that says nothing, from `env_file` (which need not exist).

    Values in the file are taken as they stand: `$` expands to nothing. Secrets lose the line feed with which they are
    often mounted. Raises ConfigurationError with one line per mistake.
    """
    values = dotenv.of(env_file)
    try:
        # Only the class of the model itself can say where values come from; what is returned is a `model` again.
        read = dotenv.reading(model, values)()
    except ValidationError as error:
        lines = [_explain(model, detail) for detail in error.errors(include_url=False)]
    else:
        found, lines = _clean(model, dict(read))
        if not lines:
            return cast("Settings", model.model_construct(_fields_set=read.model_fields_set, **found))
    raise ConfigurationError("\n".join(lines))  # outside `except`: pydantic's own error would show what was given


def _clean(model: type[BaseSettings], values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values with secrets that a client can send, and a sentence for each that none can."""
    problems = []
    for field, value in values.items():
        if not isinstance(value, SecretStr):
            continue
        secret = value.get_secret_value().strip("\r\n")
        values[field] = SecretStr(secret)
        if problem := _unsendable(field, secret):
            problems.append(f"{variable(model, field)}: {problem}. Expected: {model.model_fields[field].description}.")
    return values, problems


def _unsendable(field: str, secret: str) -> str | None:
    if not secret:
        return "is nothing but line ends"
    if any(unicodedata.category(char) == "Cc" for char in secret):
        return "holds a control character, such as a line end in the middle"
    if field == "token" and not _TOKEN.fullmatch(secret):  # libraries would refuse the header, and log it
        return "holds a space or a character that no header can carry"
    return None


def check(models: Iterable[type[BaseSettings]]) -> None:
    """Raise ConfigurationError with one line for each mistake in any of `models`."""
    lines: dict[str, None] = {}
    for model in sorted(models, key=lambda model: model.__qualname__):
        try:
            load(model)
        except ConfigurationError as wrong:
            lines |= dict.fromkeys(str(wrong).splitlines())
    if lines:
        raise ConfigurationError("\n".join(lines))


def secrets(models: Iterable[type[BaseSettings]]) -> list[SecretStr]:
    """Return the secrets of all `models` that are complete: a program whose own are not does not start."""
    found: list[SecretStr] = []
    for model in models:
        with suppress(ConfigurationError):
            found += (value for _, value in load(model) if isinstance(value, SecretStr))
    return found


def variable(model: type[BaseSettings], field: str) -> str:
    """Return the name in the environment of a field."""
    return f"{model.model_config['env_prefix']}{field}".upper()


def _explain(model: type[BaseSettings], detail: ErrorDetails) -> str:
    problem = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return problem  # a check over several fields names them itself
    field = str(detail["loc"][0])
    info = model.model_fields[field]
    secret = SecretStr in {info.annotation, *get_args(info.annotation)}
    if detail["type"] == "missing":
        problem = "is not set"
    elif detail["type"] != "value_error" and not secret:  # our own checks say what may be said of a value
        problem = f"{problem} (it is {detail['input']!r})"
    return f"{variable(model, field)}: {problem}. Expected: {info.description}."
