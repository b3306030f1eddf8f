"""JSON answers, for clients and for judges."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import orjson
from aiohttp import web

from connectors.simulator.faults import Refusal


def json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers=headers or {}, content_type="application/json")


def only_json(request: web.Request) -> None:
    """Refuse what a form on a web page can send. What controls the stand-ins comes with a type that no form has."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send Content-Type: application/json")


def refused(refusal: Refusal) -> web.Response:
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else {}
    return json({"error": "refused on request"}, refusal.status, headers)


async def lines(request: web.Request, rows: Iterable[object]) -> web.StreamResponse:
    """Answer with one JSON object per line, as far as the client reads."""
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await answer.prepare(request)
    with suppress(ConnectionError):
        for row in rows:
            await answer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        await answer.write_eof()
    return answer
