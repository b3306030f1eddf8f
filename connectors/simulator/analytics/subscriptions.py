"""Event subscriptions as the stand-in keeps them. No I/O."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FIELDS = frozenset(
    {
        *("eventId", "eventType", "timestamp", "interactionId", "agentId", "queueId", "metadata"),
        *("metrics.handleTime", "metrics.waitTime", "metrics.queueTime", "metrics.state"),
    }
)
MOST = 1000

Answer = tuple[int, dict[str, Any]]


class Wanted(BaseModel):
    """The body of a request for a subscription."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subscription_name: str = Field(alias="subscriptionName", min_length=1, max_length=256)
    event_type: str = Field(alias="eventType", min_length=1)
    filters: dict[str, Any] = Field(default_factory=dict)
    requested_fields: list[str] = Field(alias="requestedFields", min_length=1)


class Subscriptions:
    """The subscriptions that there are, by id."""

    def __init__(self) -> None:
        self._known: dict[str, Wanted] = {}
        self.made = 0  # ever
        self.deleted = 0

    def create(self, body: bytes, refused_fields: Collection[str] = ()) -> Answer:
        """Return status and body: 201 with an id, 400 for what is no request, 422 naming a field that there is not."""
        try:
            wanted = Wanted.model_validate_json(body)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, detail["loc"]))
            return 400, {"code": "bad.request", "message": f"{where}: {detail['msg']}"}
        for field in wanted.requested_fields:
            if field not in FIELDS or field in refused_fields:
                return 422, {"code": "unknown.field", "message": f"requestedFields: '{field}' is not a field of events"}
        if len(self._known) >= MOST:
            return 422, {"code": "too.many", "message": f"at most {MOST} subscriptions"}
        self.made += 1
        name = f"sub-{self.made:06}"
        self._known[name] = wanted
        return 201, {"subscriptionId": name, "subscriptionName": wanted.subscription_name, "status": "active"}

    def show(self, name: str) -> Answer:
        """Return status and body: 200, or 404 when it is not, or no longer, known."""
        wanted = self._known.get(name)
        if wanted is None:
            return 404, {"code": "unknown_subscription", "message": "there is no such subscription"}
        return 200, {"subscriptionId": name, "status": "active", **wanted.model_dump(by_alias=True)}

    def delete(self, name: str) -> Answer:
        """Return status and body: 204, or 404."""
        if self._known.pop(name, None) is None:
            return 404, {"code": "unknown_subscription", "message": "there is no such subscription"}
        self.deleted += 1
        return 204, {}

    def forget(self) -> None:
        """Lose all of them, as a CXone does that was restored from something old."""
        self._known.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __len__(self) -> int:
        return len(self._known)
