"""/livez, /readyz and /metrics of a worker or a connector.

Alive means that this event loop answers, and that each consumer of a worker has polled lately or waits for its stage on
purpose. Ready means that partitions are assigned and recovered and nothing blocks delivery; of a connector, that its
socket is open.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from streams.programs.figures import Figures, Probed

MOST_CONNECTIONS = 64  # the oldest one ends for one more: a probe always gets in
LONGEST_CONNECTION = 10.0  # seconds for one request and its answer


class HealthServer:
    """Answers probes on `host`:`port` (0: a free one, told by `start`), and tells `figures` with the metrics."""

    def __init__(self, apps: Sequence[Probed], host: str, port: int, figures: Figures | None = None) -> None:
        self._apps, self._host, self._port = apps, host, port
        self._figures = CollectorRegistry()
        if figures is not None:
            self._figures.register(figures)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # the oldest first

    async def start(self) -> str:
        """Start answering; return the address, `host:port`."""
        server = web.Application()
        server.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(server, access_log=None)
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(self._accept, self._host, self._port)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for timer in self._connections.values():
            timer.cancel()

    def _accept(self) -> web.RequestHandler:
        """Take a connection: requests that are never sent whole must not use up the process's file descriptors."""
        assert self._runner is not None  # noqa: S101 - it is what listens
        assert self._runner.server is not None  # noqa: S101 - as above
        if len(self._connections) >= MOST_CONNECTIONS:
            self._end(next(iter(self._connections)))
        connection = self._runner.server()
        later = asyncio.get_running_loop().call_later
        self._connections[connection] = later(LONGEST_CONNECTION, self._end, connection)
        return connection

    def _end(self, connection: web.RequestHandler) -> None:
        self._connections.pop(connection).cancel()
        if connection.transport is not None:
            connection.transport.abort()

    async def _livez(self, _request: web.Request) -> web.Response:
        return _answer([app.why_not_alive() for app in self._apps])

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer([app.why_not_ready() for app in self._apps])

    async def _metrics(self, request: web.Request) -> web.Response:
        """Tell all, or what is asked for as `?name[]=`, as other exporters do: all of many stages takes 60 ms."""
        if names := request.query.getall("name[]", []):
            body = generate_latest(cast("CollectorRegistry", REGISTRY.restricted_registry(names)))
        else:
            body = generate_latest() + generate_latest(self._figures)
        return _last(web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST}))


def _last(response: web.Response) -> web.Response:
    """Say that the connection ends with this answer: whoever asked again on it might meet its end at that moment."""
    response.force_close()
    return response


def _answer(reasons: list[str | None]) -> web.Response:
    wrong = [reason for reason in reasons if reason is not None]
    return _last(web.json_response({"ok": not wrong, "reasons": wrong}, status=503 if wrong else 200))
