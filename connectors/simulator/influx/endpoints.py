"""The stand-in InfluxDB's doors: a strict `POST /api/v2/write`, `GET /points` for judges, `/health` and `/ping`."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from connectors.simulator.answers import json
from connectors.simulator.faults import FaultBox
from connectors.simulator.influx.line_protocol import LineError, parse
from connectors.simulator.influx.points import PointStore

_MAX_BODY = 64 * 1024 * 1024
_CODES = {400: "invalid", 401: "unauthorized", 404: "not found", 422: "unprocessable entity", 429: "too many requests"}


@dataclass(frozen=True, slots=True)
class InfluxAccount:
    """What writers have to show and name. Made up, as in `tokens`."""

    token: str = "simulator-token"  # noqa: S105 - see above
    org: str = "cxone"
    bucket: str = "cxone"


class Influx:
    """Answers as influxd 2.7 does (`/points` aside)."""

    def __init__(
        self, account: InfluxAccount, points: PointStore, faults: FaultBox, *, now: Callable[[], float] = time.time
    ) -> None:
        self._account = account
        self._points = points
        self._faults = faults
        self._now = now

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(
            [
                web.post("/api/v2/write", self._write),
                web.get("/points", self._kept),
                web.get("/health", self._health),
                web.get("/ping", self._ping),
            ]
        )
        return app

    async def _write(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self._faults.now.influx_seconds)
        if refusal := self._faults.take("influx"):
            headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else {}
            return _error(refusal.status, "refused on request", headers)
        if problem := self._stranger(request):
            return problem
        try:  # aiohttp has unpacked gzip by now
            points = parse((await request.read()).decode(), request.query.get("precision", "ns"))
        except (UnicodeDecodeError, LineError) as error:
            return _error(400, str(error))
        refused = self._points.write(points, self._now(), self._faults.now.influx_refuse)
        return _error(422, refused) if refused else web.Response(status=204)

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Token {self._account.token}":
            return _error(401, "unauthorized access")
        if (org := request.query.get("org")) != self._account.org:
            return _error(404, f'organization name "{org}" not found')
        if (bucket := request.query.get("bucket")) != self._account.bucket:
            return _error(404, f'bucket "{bucket}" not found')
        return None

    async def _kept(self, _: web.Request) -> web.Response:
        return json(self._points.rows())

    async def _health(self, _: web.Request) -> web.Response:
        return json({"name": "influxdb", "status": "pass", "message": "ready for queries and writes"})

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": "simulator"})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return json({"code": _CODES.get(status, "internal error"), "message": message}, status, headers)
