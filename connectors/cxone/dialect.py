"""What a tenant's CXone looks like, as data: a YAML file -> a checked `Dialect`.

Hosts, scopes, hellos and field paths differ between tenants; a tenant is served by editing a file.
"""

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from connectors.cxone.analytics_dialect import Analytics
from connectors.cxone.dashboards_dialect import Dashboards
from connectors.cxone.dialect_parts import (
    TOKEN,
    DottedPaths,
    OAuth,
    Socket,
    Strict,
    auth_text,
    fill,
    http_template,
    json_text,
)
from connectors.cxone.scoring_dialect import Scoring
from connectors.errors import ConfigurationError
from connectors.settings import CxoneSettings
from schemas.frame_fields import ActionFields, ChangeFields, DurationForm, InteractionFields, MessageFields

__all__ = [
    "TOKEN",
    "Actions",
    "Analytics",
    "Dialect",
    "EventSocket",
    "Interactions",
    "MessageSocket",
    "Messaging",
    "load",
]


class EventSocket(Socket):
    """A socket whose token travels in the query."""

    token_parameter: Annotated[str, Field(min_length=1)]
    hello: Annotated[str, AfterValidator(json_text)]


class MessageSocket(Socket):
    """A socket whose token travels in the first message, and what CXone says to that.

    `accepted` and `refused` are types of frames (`fields.event_type`), `refused_codes` those of a closing connection.
    """

    hello: Annotated[str, AfterValidator(auth_text)]
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    refused_codes: tuple[int, ...]


class Fields(Strict):
    """`schemas.frame_fields.InteractionFields` as it is written in a file: paths with dots."""

    event_type: DottedPaths
    completed_types: Annotated[tuple[str, ...], Field(min_length=1)]
    control_types: tuple[str, ...]
    control: DottedPaths
    event_id: DottedPaths
    interaction_id: DottedPaths
    campaign_id: DottedPaths
    handle_time: DottedPaths
    wait_time: DottedPaths
    completed_at: DottedPaths
    durations: DurationForm = DurationForm.SECONDS

    def interaction(self) -> InteractionFields:
        """Return the paths for those who read frames."""
        return InteractionFields(**dict(self))


class Interactions(Strict):
    """The events socket of finished interactions."""

    oauth: OAuth
    socket: EventSocket
    fields: Fields

    def token_url(self, settings: CxoneSettings) -> str:
        """Return the override or the filled template. Raises ConfigurationError naming what is not set."""
        override = settings.interactions_token_url
        return override or fill(self.oauth.token_url, settings, "CXONE_INTERACTIONS_TOKEN_URL")

    def socket_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for the socket; without the token."""
        return settings.interactions_ws_url or fill(self.socket.url, settings, "CXONE_INTERACTIONS_WS_URL")


class GuestFields(Strict):
    """`schemas.frame_fields.MessageFields` as it is written in a file: paths with dots.

    What has a default came later: a file from before gets what real frames say.
    """

    event_type: DottedPaths
    message_types: Annotated[tuple[str, ...], Field(min_length=1)]
    control_types: tuple[str, ...]
    direction: DottedPaths
    inbound: Annotated[tuple[str, ...], Field(min_length=1)]
    event_id: DottedPaths
    conversation_id: DottedPaths
    fingerprint: DottedPaths
    fingerprint_parts: tuple[str, ...]
    fingerprint_tells: Annotated[tuple[str, ...], Field(min_length=1)] = ("deviceToken", "ip")
    text: DottedPaths
    queue_id: DottedPaths
    default_queue: Annotated[str, Field(min_length=1)]
    sent_at: DottedPaths
    stored_types: tuple[str, ...] = ("EventInS3",)
    stored_type: DottedPaths = (("data", "originEvent", "eventType"),)
    cut: DottedPaths = (("data", "message", "hasAdditionalMessageContent"),)

    def message(self) -> MessageFields:
        """Return the paths for those who read frames."""
        return MessageFields(**dict(self))


class Routing(Strict):
    """Where a guest's message is put into a queue."""

    url: Annotated[str, AfterValidator(http_template)]


class Messaging(Strict):
    """The web-messaging socket, and the API that takes guests into queues."""

    oauth: OAuth
    socket: MessageSocket
    routing: Routing
    fields: GuestFields

    def token_url(self, settings: CxoneSettings) -> str:
        """Return the override or the filled template. Raises ConfigurationError naming what is not set."""
        override = settings.messaging_token_url
        return override or fill(self.oauth.token_url, settings, "CXONE_MESSAGING_TOKEN_URL")

    def socket_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for the socket; the token is none of it."""
        return settings.messaging_ws_url or fill(self.socket.url, settings, "CXONE_MESSAGING_WS_URL")

    def routing_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for routing; the override replaces what stands before the path."""
        base, template = settings.messaging_api_url, self.routing.url
        if base is not None:
            return base.rstrip("/") + fill(urlsplit(template).path, settings, "CXONE_MESSAGING_API_URL")
        return fill(template, settings, "CXONE_MESSAGING_API_URL")


class ActionPaths(Strict):
    """`schemas.frame_fields.ActionFields` as it is written in a file: paths with dots."""

    interaction_id: DottedPaths
    channel: DottedPaths
    customer_email: DottedPaths
    agent_id: DottedPaths

    def action(self) -> ActionFields:
        """Return the paths for those who read bodies."""
        return ActionFields(**dict(self))


class ChangePaths(Strict):
    """`schemas.frame_fields.ChangeFields` as it is written in a file: paths with dots."""

    dashboard_id: DottedPaths
    event_type: DottedPaths
    actor: DottedPaths
    etag: DottedPaths

    def change(self) -> ChangeFields:
        """Return the paths for those who read bodies."""
        return ChangeFields(**dict(self))


class Actions(Strict):
    """What CXone's webhooks bring: Data Actions, and changes of dashboards."""

    interaction: ActionPaths
    dashboard: ChangePaths


class Dialect(Strict):
    """One file."""

    interactions: Interactions
    messaging: Messaging
    actions: Actions
    analytics: Analytics
    scoring: Scoring = Scoring()
    dashboards: Dashboards


def load(name_or_path: str) -> Dialect:
    """Read a shipped dialect or a file.

    Raises ConfigurationError with one line per mistake: which key, what was wrong, what would be right.
    """
    shipped = {file.name.removesuffix(".yaml"): file for file in (files("connectors.cxone") / "dialects").iterdir()}
    source = shipped.get(name_or_path) or Path(name_or_path)
    try:
        if not source.is_file():
            names = ", ".join(sorted(shipped))
            raise ConfigurationError(
                f"CXONE_DIALECT: {name_or_path!r} is neither a shipped dialect ({names}) nor a file."
            )
        return Dialect.model_validate(yaml.safe_load(source.read_text("utf-8")))
    except OSError as unreadable:
        raise ConfigurationError(f"CXONE_DIALECT: {name_or_path} cannot be read: {unreadable.strerror}") from None
    except ValidationError as refused:
        lines = [f"CXONE_DIALECT: {name_or_path}: {_explain(detail)}" for detail in refused.errors(include_url=False)]
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, ValueError) as broken:
        # PyYAML raises what it likes over a date that does not exist, or a tag that does not fit.
        raise ConfigurationError(f"CXONE_DIALECT: {name_or_path} is not YAML: {broken}") from broken
    raise ConfigurationError("\n".join(lines))


def _explain(detail: ErrorDetails) -> str:
    where = ".".join(str(key) for key in detail["loc"])
    if detail["type"] == "extra_forbidden":
        siblings = _keys(detail["loc"][:-1])
        guess = get_close_matches(str(detail["loc"][-1]), siblings, n=1)
        hint = f"Did you mean {guess[0]}?" if guess else f"Expected one of: {', '.join(siblings)}."
        return f"{where}: is not a key. {hint}"
    if detail["type"] == "missing":
        return f"{where}: is missing."
    if detail["type"] == "value_error":  # our own checks say what may be said of a value
        return f"{where}: {detail['msg'].removeprefix('Value error, ')}."
    return f"{where or 'the file'}: {detail['msg']} (it is {detail['input']!r})."


def _keys(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Dialect
    for key in path:
        annotation = model.model_fields[str(key)].annotation
        (model,) = (each for each in get_args(annotation) or (annotation,) if each is not type(None))
    return list(model.model_fields)
