"""/livez, /readyz and /metrics of a worker or a connector.

Alive means that this event loop answers, and that each consumer of a worker has polled lately or waits for its stage on
purpose. Ready means that partitions are assigned and recovered and nothing blocks delivery; of a connector, that its
socket is open.
"""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Probed(Protocol):
    """A stage's app or a connector's socket, as far as probes look at it."""

    def why_not_alive(self) -> str | None: ...
    def why_not_ready(self) -> str | None: ...


class HealthServer:
    """Answers probes on `host`:`port` (0: a free one, told by `start`)."""

    def __init__(self, apps: Sequence[Probed], host: str, port: int) -> None:
        self._apps, self._host, self._port = apps, host, port
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Start answering; return the address, `host:port`."""
        server = web.Application()
        server.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(server, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return _answer([app.why_not_alive() for app in self._apps])

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer([app.why_not_ready() for app in self._apps])

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(reasons: list[str | None]) -> web.Response:
    wrong = [reason for reason in reasons if reason is not None]
    return web.json_response({"ok": not wrong, "reasons": wrong}, status=503 if wrong else 200)
