"""One HTTP exchange that the other side cannot stretch: every client asks through it.

A deadline counts for the whole of it, body included. At most `LONGEST_BODY` bytes of an answer are read. Nothing is
inflated, no cookie is kept, no redirect followed. Whatever a library raises over an answer means that there was none.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client import Counter, Histogram
from pydantic import SecretStr

from connectors.errors import Unavailable
from connectors.redaction import presentable
from connectors.retry import longest_retry_after

LONGEST_BODY = 1 << 20  # bytes of an answer that are read

_ALWAYS = {"Accept": "application/json", "Accept-Encoding": "identity"}

ANSWERS = Counter("cxone_http_answers", "Answers of other systems; status 0 is none in time.", ["peer", "status"])
SECONDS = Histogram(
    "cxone_http_seconds",
    "From the wait for a connection to the end of an answer, or of the wait for one.",
    ["peer"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The body may hold what a guest wrote, or our own request: it is no part of the repr."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: float | None = None  # seconds, as `connectors.retry` bounds them
    cut: bool = False  # there was more of the body
    challenge: str = field(default="", repr=False)  # WWW-Authenticate
    etag: str = ""
    encoding: str = ""  # Content-Encoding

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return httpx.codes.is_success(self.status)

    @property
    def is_client_error(self) -> bool:
        """Whether the status is a 4xx."""
        return httpx.codes.is_client_error(self.status)

    @property
    def is_server_error(self) -> bool:
        """Whether the status is a 5xx, or one that HTTP does not know."""
        return self.status >= httpx.codes.INTERNAL_SERVER_ERROR

    def json(self) -> Any:
        """Return the body, read as UTF-8 whatever charset it names; None when it is no JSON or nested too deep."""
        try:
            return json.loads(self.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return None

    def object(self) -> dict[str, Any]:
        """Return the body if it is a JSON object, else an empty one."""
        found = self.json()
        return found if isinstance(found, dict) else {}

    def words(self, secrets: Iterable[SecretStr | None], longest: int) -> str:
        """Return the body for people: `presentable`."""
        return presentable(self.body.decode(errors="replace"), secrets, longest)


class Exchange:
    """Asks one peer.

    Args:
        peer: who is asked, for errors: "the CRM".
        transport: `connectors.http.transport.Transport`, or a fake.
        timeout: seconds for one exchange, from the wait for a connection to the end of the body.
        now: seconds since the epoch, for a Retry-After that is a date.
    """

    def __init__(
        self,
        peer: str,
        transport: httpx.AsyncBaseTransport,
        *,
        timeout: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._peer, self._transport, self._timeout, self._now = peer, transport, timeout, now

    async def ask(
        self, method: str, url: httpx.URL | str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Return the answer, whatever its status. Raises Unavailable when there was none in time."""
        began = time.monotonic()
        outcome = await self._outcome(method, url, headers or {}, body)
        SECONDS.labels(self._peer).observe(time.monotonic() - began)
        ANSWERS.labels(self._peer, 0 if isinstance(outcome, str) else outcome.status).inc()
        del headers, body
        # Deleted, and raised out here: a traceback with local variables shows those of this frame, and those of the
        # library's when an error is raised in `except`. Callers keep headers in no variable for the same reason.
        if isinstance(outcome, str):
            raise Unavailable(f"{self._peer} did not answer {outcome}")
        return outcome

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _outcome(
        self, method: str, url: httpx.URL | str, headers: Mapping[str, str], body: bytes
    ) -> Answer | str:
        try:
            async with asyncio.timeout(self._timeout):
                request = httpx.Request(method, url, headers={**_ALWAYS, **headers}, content=body)
                return await self._read(await self._transport.handle_async_request(request))
        except TimeoutError:
            return f"within {self._timeout:g} s"
        except Exception as failure:  # noqa: BLE001 - libraries raise ValueErrors and worse over what peers send
            return f"({_named(_let_go(failure))})"

    async def _read(self, response: httpx.Response) -> Answer:
        body, cut, stream = bytearray(), False, response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport gives asynchronous bodies")
        try:
            async for chunk in stream:  # the response's own readers would inflate, or keep what a fake gave
                body += chunk
                if cut := len(body) > LONGEST_BODY:
                    break
        finally:
            await stream.aclose()
        head: dict[bytes, list[str]] = {}  # httpx's own takes four times as long to look into
        for name, value in response.headers.raw:
            head.setdefault(name.lower(), []).append(value.decode("latin-1"))
        later = longest_retry_after(head.get(b"retry-after", ()), self._now())
        challenge, etag, encoding = (
            ", ".join(head.get(name, ())) for name in (b"www-authenticate", b"etag", b"content-encoding")
        )
        return Answer(response.status_code, bytes(body[:LONGEST_BODY]), later, cut, challenge, etag, encoding)


def _let_go(failure: Exception) -> Exception:
    """Take away the frames that `failure`, and what it came from, went through; return it.

    aiohttp's objects keep the errors that end them, and these their frames, which hold those objects: a circle, with
    what the peer sent (some 200 kB) in it. Only the garbage collector would find that, and it counts objects, not
    bytes.
    """
    each: BaseException | None = failure
    while each is not None and each.__traceback__ is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return failure


def _named(failure: Exception) -> str:
    """Say what happened without the failure's own text, which may hold the URL, a header, or what the peer wants."""
    number = failure.errno if isinstance(failure, OSError) else None
    return f"{type(failure).__name__}: {os.strerror(number)}" if number and number > 0 else type(failure).__name__
