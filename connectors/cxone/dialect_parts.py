"""What the sections of a dialect are made of: paths, URL templates, OAuth, what holds for every socket."""

import json
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from connectors.errors import ConfigurationError
from connectors.settings import CxoneSettings, check_http_url, check_ws_url
from schemas.frame_fields import Paths

TOKEN = "{token}"  # noqa: S105 - the place of one

_VARIABLES = {"org": "CXONE_ORG_DOMAIN", "region": "CXONE_REGION"}


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _known_placeholders(template: str) -> str:
    if unknown := _placeholders(template) - _VARIABLES.keys():
        raise ValueError(f"knows only {{org}} and {{region}}, not {{{min(unknown)}}}")
    return template


def http_template(template: str) -> str:
    check_http_url(_known_placeholders(template).format(org="org", region="region"))
    return template


def ws_template(template: str) -> str:
    check_ws_url(_known_placeholders(template).format(org="org", region="region"))
    return template


def json_text(text: str) -> str:
    json.loads(text)
    return text


def auth_text(text: str) -> str:
    if TOKEN not in text:
        raise ValueError(f"must say where the token goes: {TOKEN}")
    return json_text(text)


def _paths(value: object) -> Paths:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of paths such as payload.campaignId")
    for path in value:
        if not isinstance(path, str) or not all(path.split(".")):
            raise ValueError(f"{path!r} is not a path such as payload.campaignId")
    return tuple(tuple(path.split(".")) for path in value)


DottedPaths = Annotated[Paths, BeforeValidator(_paths)]
Seconds = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OAuth(Strict):
    """Client credentials: where, for what, and how many seconds before expiry they are renewed."""

    token_url: Annotated[str, AfterValidator(http_template)]
    scope: str
    renew_before: Seconds


class Socket(Strict):
    """What holds for every socket. Times in seconds; `red_after` is `connectors.cxone.connection.Policy`'s."""

    url: Annotated[str, AfterValidator(ws_template)]
    ping_interval: Seconds
    pong_timeout: Seconds
    max_frame_bytes: Annotated[int, Field(gt=0)]
    open_timeout: Seconds = 10.0
    red_after: Annotated[int, Field(ge=1)] = 1


def fill(template: str, settings: CxoneSettings, override: str) -> str:
    """Return the URL of a template. Raises ConfigurationError naming the setting that is missing, and `override`."""
    values = {"org": settings.org_domain, "region": settings.region}
    for name in sorted(_placeholders(template)):
        if values[name] is None:
            raise ConfigurationError(
                f"{_VARIABLES[name]}: is not set. Expected: a value, because the dialect's URL is {template};"
                f" or a whole URL in {override}."
            )
    return template.format(**values)
