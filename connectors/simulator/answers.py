"""JSON answers."""

from collections.abc import Mapping

import orjson
from aiohttp import web


def json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers=headers or {}, content_type="application/json")
