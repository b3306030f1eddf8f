"""What the door says: one shape for everything that is no 200, the same words for every cause of a 401."""

import orjson
from aiohttp import web

RETRY_AFTER = 2  # seconds
SERVER = "cxone-streams"  # and no version


def accepted(name: str, value: str) -> web.Response:
    return _json({"status": "accepted", name: value}, 200)


def unauthorized() -> web.Response:
    return refused(401, "unauthorized", close=True)


def unavailable(why: str) -> web.Response:
    """Answer 503: nothing is stored, or it is not known whether it is. To repeat the request is harmless."""
    answer = refused(503, why, close=True)
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def refused(status: int, why: str, *, close: bool = False) -> web.Response:
    """Answer an error. `close` lets go of a connection whose body was not read."""
    answer = _json({"status": "refused", "error": why}, status)
    if close:
        answer.force_close()
    return answer


def _json(content: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
