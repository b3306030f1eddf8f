"""Calls to CXone's REST API: one policy of tokens, Retry-After and idempotency keys for all of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import httpx

from connectors.cxone.oauth import TokenSource
from connectors.errors import AuthorizationError, Unavailable
from connectors.redaction import HIDDEN
from connectors.retry import delays, retry_after

ASK_AGAIN = 30.0  # seconds after the credentials were refused
LONGEST_BODY = 65_536  # bytes of an answer that are kept


@dataclass(frozen=True, slots=True)
class Answer:
    """What CXone said, without our token. The body may hold what a guest wrote: it is no part of the repr."""

    status: int
    body: bytes = field(repr=False)


class RestClient:
    """POSTs with a bearer token over one HTTP transport: a client around it would take 0.12 ms of CPU a call.

    While CXone says 429 or refuses the credentials, all calls wait; that uses up nobody's attempt.

    Args:
        transport: whose limits and keep-alive are the caller's.
        tokens: where bearer tokens come from.
        timeout: seconds for one request with its token.
        pause: sleeps; what it raises ends the call before it is made.
        on_trouble: told why nothing can be called, and None when it can again.
        now: seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        transport: httpx.AsyncBaseTransport,
        tokens: TokenSource,
        *,
        timeout: float,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport, self._tokens, self._timeout = transport, tokens, timeout
        self._pause, self._on_trouble, self._now, self._clock = pause, on_trouble, now, clock
        self._closed_until = 0.0
        self._backoff = delays()

    async def post(self, url: httpx.URL | str, body: bytes, *, key: str) -> Answer:
        """Return CXone's answer, whatever its status; never a 429, which is waited out.

        A 401 is answered with a new token, once. Raises Unavailable when there was no answer in time.
        """
        while True:
            while (wait := self._closed_until - self._clock()) > 0:
                await self._pause(wait)
            try:
                async with asyncio.timeout(self._timeout):
                    answer, later = await self._authorized(url, body, key)
            except TimeoutError:
                raise Unavailable(f"no answer within {self._timeout:g} s") from None
            except (httpx.RequestError, aiohttp.ClientError) as unreachable:  # httpx-aiohttp does not translate all
                raise Unavailable(f"no answer ({type(unreachable).__name__})") from None
            except AuthorizationError as refused:
                self._on_trouble(str(refused))
                self._close(ASK_AGAIN)
                continue
            self._on_trouble(None)
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                self._backoff = delays()
                return answer
            self._close(retry_after(later, self._now()) or next(self._backoff))

    async def close(self) -> None:
        """Let go of connections."""
        await self._tokens.close()
        await self._transport.aclose()

    def _close(self, seconds: float) -> None:
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    async def _authorized(self, url: httpx.URL | str, body: bytes, key: str) -> tuple[Answer, str | None]:
        token = await self._tokens.token()
        answer, later = await self._send(url, body, key, token.value.get_secret_value())
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer, later
        self._tokens.refused(token)
        token = await self._tokens.token()
        return await self._send(url, body, key, token.value.get_secret_value())

    async def _send(self, url: httpx.URL | str, body: bytes, key: str, token: str) -> tuple[Answer, str | None]:
        """Return the answer and its Retry-After."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # else the transport asks for what httpx may be unable to read
            "Idempotency-Key": key,
        }
        response = await self._transport.handle_async_request(httpx.Request("POST", url, headers=headers, content=body))
        try:
            await response.aread()
        finally:
            await response.aclose()
        # A proxy's error page may hold the request; before the cut, which could leave the beginning of a token.
        presentable = response.content.replace(token.encode(), HIDDEN.encode())
        return Answer(response.status_code, presentable[:LONGEST_BODY]), response.headers.get("retry-after")
