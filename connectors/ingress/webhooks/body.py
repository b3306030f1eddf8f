"""The bytes of a request, as they come: bounded in length and in time."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from connectors.ingress.webhooks.answers import refused, unavailable
from connectors.ingress.webhooks.delivery import LARGEST_BODY
from connectors.ingress.webhooks.room import Room, Share

WITHIN = 5.0  # seconds for a whole body

_UTF8 = {"", "utf-8", "utf8", "us-ascii"}


def unreadable(request: web.Request) -> web.Response | None:
    """Return the answer to a request whose headers say that its body is none for us."""
    try:
        content_type, charset = request.content_type, request.charset
    except Exception:  # noqa: BLE001 - Python's parser of headers raises whatever it trips over
        return refused(415, "the content type cannot be read", close=True)
    if content_type != "application/json" and not content_type.endswith("+json"):
        return refused(415, "the content type must be application/json", close=True)
    if (charset or "").lower() not in _UTF8:
        return refused(415, "the charset must be utf-8", close=True)
    return encoded(request.headers)


def encoded(headers: Mapping[str, str]) -> web.Response | None:
    """Return the answer to a request whose body is packed: a signature is of the bytes as they were sent."""
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return refused(415, "the body must not be encoded", close=True)
    return None


async def read(request: web.Request, room: Room, share: Share) -> bytes | web.Response:
    """Return the body, or the answer to a request whose body is too large, too slow, cut off or one too many."""
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        return _too_large()
    body = bytearray()
    all_here = request.content.is_eof()
    try:
        async with nullcontext() if all_here else asyncio.timeout(WITHIN):
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            while data := await request.content.readany():
                if len(body) + len(data) > LARGEST_BODY:
                    return _too_large()
                if room.full:
                    return unavailable("too many requests wait")
                share.hold(len(data))
                body += data
    except TimeoutError:
        return refused(408, f"the body did not come within {WITHIN:.0f} seconds", close=True)
    except (ConnectionError, HttpProcessingError, web.RequestPayloadError):
        return refused(400, "the body was cut off", close=True)
    return bytes(body)


def _too_large() -> web.Response:
    return refused(413, f"the body is larger than {LARGEST_BODY} bytes", close=True)
