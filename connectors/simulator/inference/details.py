"""CXone's REST API of interactions, `GET /api/v2/interactions/<id>`: what it knows follows from the id alone."""

import asyncio
import time
from collections.abc import Callable
from zlib import crc32

from aiohttp import web

from connectors.simulator.answers import json, refused
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.faults import FaultBox

SCOPE = "interaction:read"
QUEUES = ("sales", "support", "billing")


class InteractionDetails:
    """Tells of every interaction, but of those whose id begins with `unknown`."""

    def __init__(self, tokens: Tokens, faults: FaultBox, *, now: Callable[[], float] = time.time) -> None:
        self._tokens, self._faults, self._now = tokens, faults, now

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v2/interactions/{interaction}", self._tell)]

    async def _tell(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self._tokens.valid(token, self._now()):
            return json({"code": "unauthorized", "message": "The access token is invalid or has expired."}, 401)
        if not self._tokens.allows(token, SCOPE):
            return json({"code": "missing.scope", "message": f"The access token lacks the scope {SCOPE}."}, 403)
        if seconds := self._faults.now.interactions_seconds:
            await asyncio.sleep(seconds)
        if refusal := self._faults.take("interactions"):
            return refused(refusal)
        interaction = request.match_info["interaction"]
        if interaction.startswith("unknown"):
            return json({"code": "not.found", "message": "There is no such interaction."}, 404)
        return json({"interactionId": interaction, **details_of(interaction)})


def details_of(interaction: str) -> dict[str, object]:
    """Return what the stand-in tells beside the id."""
    number = crc32(interaction.encode())
    return {"queueId": QUEUES[number % len(QUEUES)], "metrics": {"waitTime": number % 300}}
