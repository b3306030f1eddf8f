"""Faults on request: what the stand-ins do wrong, and for how long."""

from pydantic import BaseModel, ConfigDict, Field


class Refusal(BaseModel):
    """Answer `status` to the next `times` requests; to all of them without `times`."""

    model_config = ConfigDict(extra="forbid")

    status: int = Field(ge=400, le=599)
    retry_after: str | None = None
    times: int | None = Field(default=None, ge=1)


class Faults(BaseModel):
    """All faults. A request names those that it changes; null ends one.

    `close`, `revoke` and `silence` strike the sockets that are open at that moment: a close frame with that code, all
    tokens made invalid, and a half-open socket that neither sends nor answers pings any more.
    """

    model_config = ConfigDict(extra="forbid")

    token: Refusal | None = None
    handshake: Refusal | None = None
    influx: Refusal | None = None
    influx_seconds: float = Field(default=0, ge=0, description="delay before every answer")
    influx_refuse: str | None = Field(default=None, description="points with this text in a tag are refused: 422")
    expires_in: int = Field(default=3600, description="lifetime of tokens issued from now on, in seconds")
    close: int | None = Field(default=None, ge=1000, le=4999)
    revoke: bool = False
    silence: bool = False


class FaultBox:
    """The faults in force."""

    def __init__(self, faults: Faults) -> None:
        self.now = faults

    def change(self, wanted: Faults) -> None:
        """Take over the faults that `wanted` names explicitly."""
        self.now = self.now.model_copy(update={name: getattr(wanted, name) for name in wanted.model_fields_set})

    def take(self, place: str) -> Refusal | None:
        """Return what the next request at `place` (token, handshake, influx) is refused with, and count it."""
        refusal: Refusal | None = getattr(self.now, place)
        if refusal is not None and refusal.times is not None:
            left = refusal.times - 1
            rest = refusal.model_copy(update={"times": left}) if left else None
            self.now = self.now.model_copy(update={place: rest})
        return refusal
