"""A CXone with dashboards, over HTTP on this machine: documents with ETags, and what was done to them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "made-up-token-of-the-tests"


@dataclass
class DashboardsApi:
    """What it has. `answers` are statuses that the next requests get instead of being served."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, answer
    answers: list[int] = field(default_factory=list)
    lose: int = 0  # answers of so many PUTs to come are lost
    url: str = ""

    def edit(self, dashboard: str, **changes: Any) -> None:
        self.documents[dashboard] = {**self.documents[dashboard], **changes}
        self.versions[dashboard] = self.versions.get(dashboard, 1) + 1

    def etag(self, dashboard: str) -> str:
        return f'"{self.versions.setdefault(dashboard, 1)}"'

    @property
    def settings(self) -> dict[str, str]:
        """The environment that leads here."""
        return {
            "CXONE_CLIENT_ID": "client",
            "CXONE_CLIENT_SECRET": "made-up",
            "CXONE_DASHBOARDS_TOKEN_URL": f"{self.url}/oauth/v2/token",
            "CXONE_DASHBOARDS_API_URL": self.url,
        }

    async def token(self, _: web.Request) -> web.Response:
        return web.json_response({"access_token": TOKEN, "expires_in": 3600})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        answer = (
            web.json_response({"message": "as the test wants it"}, status=self.answers.pop(0)) if self.answers else None
        )
        if answer is None:
            answer = self._served(request, body)
        self.requests.append((request.method, request.path, answer.status))
        if request.method == "PUT" and self.lose:
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _served(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({}, status=401)
        name = request.match_info["id"]
        if request.method == "POST":
            self.documents[name] = json.loads(body)
            return web.Response(status=201, body=body, headers={"ETag": self.etag(name)})
        if name not in self.documents:
            return web.json_response({"message": "no such dashboard"}, status=404)
        if request.method == "PUT":
            if request.headers.get("If-Match") != self.etag(name):
                return web.json_response({"message": "changed meanwhile"}, status=412)
            self.edit(name)
            self.documents[name] = json.loads(body)
        return web.json_response(self.documents[name], headers={"ETag": self.etag(name)})


@asynccontextmanager
async def serve(api: DashboardsApi) -> AsyncIterator[DashboardsApi]:
    """Serve on a free port of this machine."""
    app = web.Application()
    app.router.add_post("/oauth/v2/token", api.token)
    app.router.add_route("*", "/api/v2/dashboards/{id}", api.serve)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        api.url = f"http://{host}:{port}"
        yield api
    finally:
        await runner.cleanup()
