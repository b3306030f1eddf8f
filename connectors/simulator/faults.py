"""Faults on request: what the stand-ins do wrong, and for how long."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.simulator.dashboards.editor import FIELDS

Share = Annotated[float, Field(ge=0, le=1)]


class Refusal(BaseModel):
    """Answer `status` to the next `times` requests; to all of them without `times`."""

    model_config = ConfigDict(extra="forbid")

    status: int = Field(ge=400, le=599)
    retry_after: str | None = None
    times: int | None = Field(default=None, ge=1)


class Faults(BaseModel):
    """All faults. A request names those that it changes; null ends one.

    `close`, `revoke`, `silence` and `forget` strike at that moment: a close frame with that code on all open sockets,
    all tokens made invalid, half-open sockets that neither send nor answer pings any more, and event subscriptions
    that CXone does not know any more.
    """

    model_config = ConfigDict(extra="forbid")

    token: Refusal | None = None
    handshake: Refusal | None = None
    influx: Refusal | None = None
    influx_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    influx_refuse: str | None = Field(default=None, description="points with this text in a tag are refused: 422")
    scopes_withheld: tuple[str, ...] = Field(
        default=(), description="scopes that no token is granted, but for interactions"
    )
    auth: Refusal | None = Field(default=None, description="the messaging socket closes with 4000 + status")
    messages_redelivered: Share = Field(default=0, description="of the guests' frames, sent twice")
    messages_malformed: Share = Field(default=0, description="of the guests' frames, followed by a wrong one")
    queues: tuple[str, ...] | None = Field(default=None, description="the only queues there are; null is any")
    queues_archived: tuple[str, ...] = ()
    routing: Refusal | None = None
    routing_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    routing_500: Share = Field(default=0, description="of the routing calls, answered with 500")
    routing_429: Share = Field(default=0, description="of the routing calls, answered with 429")
    routing_retry_after: float = Field(default=1, ge=0, description="of these 429s, in seconds")
    routing_timeouts: Share = Field(default=0, description="of the routing calls, taken but answered late")
    routing_timeout_seconds: float = Field(default=30, ge=0)
    crm: Refusal | None = None
    crm_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    crm_refuse: str | None = Field(default=None, description="batches with an external_id that begins so: 422")
    eventsub: Refusal | None = Field(default=None, description="requests for event subscriptions are refused")
    eventsub_fields_refused: tuple[str, ...] = Field(default=(), description="requestedFields that CXone has not: 422")
    dashboards: Refusal | None = None
    dashboards_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    dashboards_500: Share = Field(default=0, description="of the dashboard calls, answered with 503 and not taken")
    dashboards_429: Share = Field(default=0, description="of the dashboard calls, answered with 429")
    dashboards_retry_after: float = Field(default=1, ge=0, description="of these 429s, in seconds")
    dashboards_lost: Share = Field(default=0, description="of the writes, taken and cut off instead of answered")
    dashboards_502: Share = Field(default=0, description="of the writes, taken and answered with 502")
    dashboards_storm: Share = Field(default=0, description="of the writes, before which somebody else edits")
    dashboards_edits: float = Field(default=0, ge=0, le=1000, description="edits of somebody else in a second")
    dashboards_edit_fields: tuple[str, ...] = Field(default=FIELDS, description="what these edits change")
    dashboards_etags: Literal["strong", "weak", "compressed", "missing"] = "strong"
    subscriptions_listed: bool = Field(default=True, description="whether GET lists event subscriptions")
    webhooks_repeated: Share = Field(default=0, description="of the webhooks, sent twice")
    interactions: Refusal | None = None
    interactions_seconds: float = Field(default=0, ge=0, description="delay of what CXone tells of an interaction")
    inference: Refusal | None = None
    inference_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    inference_500: Share = Field(default=0, description="of the requests for a score, answered with 500")
    inference_429: Share = Field(default=0, description="of the requests for a score, answered with 429")
    inference_retry_after: float = Field(default=1, ge=0, description="of these 429s, in seconds")
    inference_nonsense: Share = Field(default=0, description="of the requests for a score, answered without one")
    alerts: Refusal | None = Field(default=None, description="the webhook of alerts is down")
    expires_in: int = Field(default=3600, description="lifetime of tokens issued from now on, in seconds")
    close: int | None = Field(default=None, ge=1000, le=4999)
    revoke: bool = False
    silence: bool = False
    forget: bool = False


class FaultBox:
    """The faults in force."""

    def __init__(self, faults: Faults) -> None:
        self.now = faults

    def change(self, wanted: Faults) -> None:
        """Take over the faults that `wanted` names explicitly."""
        self.now = self.now.model_copy(update={name: getattr(wanted, name) for name in wanted.model_fields_set})

    def take(self, place: str) -> Refusal | None:
        """Return what the next request at `place` (a field that holds a refusal) is refused with, and count it."""
        refusal: Refusal | None = getattr(self.now, place)
        if refusal is not None and refusal.times is not None:
            left = refusal.times - 1
            rest = refusal.model_copy(update={"times": left}) if left else None
            self.now = self.now.model_copy(update={place: rest})
        return refusal
