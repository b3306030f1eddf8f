"""`/faults`: what goes wrong, changed while everything runs."""

from collections.abc import Callable, Iterable

from aiohttp import web
from pydantic import ValidationError

from connectors.simulator.answers import json, only_json
from connectors.simulator.cxone.broadcast import Socket
from connectors.simulator.cxone.tokens import Tokens
from connectors.simulator.faults import FaultBox, Faults

_STRIKES = {"close": None, "revoke": False, "silence": False, "forget": False}  # they do not stay in force


class Controls:
    """Changes the faults in force, and strikes the clients' sockets that are open."""

    def __init__(
        self, faults: FaultBox, tokens: Tokens, sockets: Iterable[set[Socket]], forget: Callable[[], None]
    ) -> None:
        """`forget` loses all event subscriptions."""
        self._faults = faults
        self._tokens = tokens
        self._sockets = tuple(sockets)
        self._forget = forget

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/faults", self._show), web.post("/faults", self._change)]

    def strike(self, wanted: Faults) -> None:
        """Put the faults in force that `wanted` names."""
        self._faults.change(wanted.model_copy(update=_STRIKES))
        if wanted.revoke:
            self._tokens.revoke_all()
        if wanted.forget:
            self._forget()
        for socket in (socket for sockets in self._sockets for socket in sockets):
            socket.silent = socket.silent or wanted.silence
            if wanted.close is not None:
                socket.end(wanted.close, b"closed on request")

    async def _show(self, _: web.Request) -> web.Response:
        return json(self._faults.now.model_dump())

    async def _change(self, request: web.Request) -> web.Response:
        only_json(request)
        try:
            wanted = Faults.model_validate_json(await request.read())
        except ValidationError as error:
            return json({"error": error.errors(include_url=False, include_context=False)}, 400)
        self.strike(wanted)
        return json(self._faults.now.model_dump())
