"""The section `analytics` of a dialect: event subscriptions, their socket, and the paths into its frames."""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from connectors.cxone.dialect_parts import DottedPaths, OAuth, Socket, Strict, fill, http_template
from connectors.settings import CxoneSettings
from schemas.frame_fields import AnalyticsFields, DurationForm

SUBSCRIPTION = "{subscription}"  # the place of one

Words = tuple[str, ...]


def _hello(text: str) -> str:
    if SUBSCRIPTION not in text:
        raise ValueError(f"must say where the subscription's id goes: {SUBSCRIPTION}")
    json.loads(text)
    return text


class SubscribedSocket(Socket):
    """A socket whose token travels in a header, and whose first message names a subscription.

    `accepted` are types of frames (`fields.event_type`) that confirm it. A frame of one of the types `refused` whose
    `code` is one of `unknown_codes` says that CXone has forgotten the subscription.
    """

    hello: Annotated[str, AfterValidator(_hello)]
    accepted: Words
    refused: Words
    code: DottedPaths
    unknown_codes: Words


class Subscription(Strict):
    """What is subscribed to. `id` leads to the id in CXone's answer; `message` to why it refused."""

    url: Annotated[str, AfterValidator(http_template)]
    name: Annotated[str, Field(min_length=1)]
    event_type: Annotated[str, Field(min_length=1)]
    filters: dict[str, Any]
    requested_fields: Annotated[Words, Field(min_length=1)]
    id: DottedPaths
    message: DottedPaths

    def request(self) -> dict[str, Any]:
        """Return the body that asks for it."""
        return {
            "subscriptionName": self.name,
            "eventType": self.event_type,
            "filters": self.filters,
            "requestedFields": list(self.requested_fields),
        }


class EventFields(Strict):
    """`schemas.frame_fields.AnalyticsFields` as it is written in a file: paths with dots."""

    event_type: DottedPaths
    event_types: Annotated[Words, Field(min_length=1)]
    interaction_types: Annotated[Words, Field(min_length=1)]
    control_types: Words
    event_id: DottedPaths
    timestamp: DottedPaths
    interaction_id: DottedPaths
    agent_id: DottedPaths
    queue_id: DottedPaths
    handle_time: DottedPaths
    wait_time: DottedPaths
    queue_time: DottedPaths
    state: DottedPaths
    metadata: DottedPaths
    durations: DurationForm = DurationForm.SECONDS

    def analytics(self) -> AnalyticsFields:
        """Return the paths for those who read frames."""
        return AnalyticsFields(**dict(self))


class Analytics(Strict):
    """The analytics socket, and the API that subscribes to it."""

    oauth: OAuth
    subscription: Subscription
    socket: SubscribedSocket
    fields: EventFields

    def token_url(self, settings: CxoneSettings) -> str:
        """Return the override or the filled template. Raises ConfigurationError naming what is not set."""
        override = settings.analytics_token_url
        return override or fill(self.oauth.token_url, settings, "CXONE_ANALYTICS_TOKEN_URL")

    def socket_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for the socket; the token is none of it."""
        return settings.analytics_ws_url or fill(self.socket.url, settings, "CXONE_ANALYTICS_WS_URL")

    def subscription_url(self, settings: CxoneSettings) -> str:
        """As `token_url`, for subscriptions; the override replaces what stands before the path."""
        base, template = settings.analytics_api_url, self.subscription.url
        if base is not None:
            return base.rstrip("/") + fill(urlsplit(template).path, settings, "CXONE_ANALYTICS_API_URL")
        return fill(template, settings, "CXONE_ANALYTICS_API_URL")
