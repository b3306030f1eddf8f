"""Calls to CXone's REST API: one policy of tokens, Retry-After and idempotency keys for all of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

import httpx

from connectors.cxone.oauth import Token, TokenSource
from connectors.errors import AuthorizationError
from connectors.http.exchange import Answer, Exchange
from connectors.http.gate import REFUSED, Gate
from connectors.redaction import Redactor

LONGEST_BODY = 16_384  # bytes of an answer that are kept


class RestClient:
    """Asks with a bearer token, over `exchange`.

    While there is no token, and while CXone says 429 or refuses the credentials, all calls wait: that uses up nobody's
    attempt.

    Args:
        exchange: whose deadline counts for one request, without the wait for a token.
        tokens: where bearer tokens come from.
        pause: sleeps; what it raises ends the call before it is made.
        patience: seconds between two looks, whether to wait on for a token.
        on_trouble: told why nothing can be called, and None when it can again.
        clock: seconds that only grow.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        exchange: Exchange,
        tokens: TokenSource,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience: float = 1.0,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange, self._tokens = exchange, tokens
        self._pause, self._patience, self._on_trouble = pause, patience, on_trouble
        self._gate = Gate(self._paused, clock=clock)
        self._redactor: tuple[Token, Redactor] | None = None  # of the token that was used last

    async def post(self, url: httpx.URL | str, body: bytes, *, key: str) -> Answer:
        """As `ask`; the token is in no spelling left in the body, which is cut to `LONGEST_BODY`."""
        return self._presentable(await self._asked("POST", url, {"Idempotency-Key": key}, body))

    async def ask(
        self, method: str, url: httpx.URL | str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Return CXone's answer, whatever its status; never a 429, which is waited out.

        A 401 is answered with a new token, once. The body of a 2xx is a document, as it came; others as of `post`.
        Raises Unavailable when there was no answer in time.
        """
        answer = await self._asked(method, url, headers or {}, body)
        return answer if answer.is_success else self._presentable(answer)

    async def _asked(self, method: str, url: httpx.URL | str, headers: Mapping[str, str], body: bytes) -> Answer:
        while True:
            await self._gate.passed()
            try:
                answer = await self._authorized(method, url, headers, body)
            except AuthorizationError as refused:
                self._on_trouble(str(refused))
                self._gate.close(REFUSED)
                continue
            self._on_trouble(None)
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                self._gate.well()
                return answer
            self._gate.close(answer.retry_after)

    async def close(self) -> None:
        """Let go of connections."""
        await self._tokens.close()
        await self._exchange.close()

    async def _paused(self, seconds: float) -> None:
        await self._pause(seconds)

    async def _authorized(self, method: str, url: httpx.URL | str, headers: Mapping[str, str], body: bytes) -> Answer:
        token = await self._token()
        answer = await self._send(method, url, headers, body, token)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        self._tokens.refused(token)
        return await self._send(method, url, headers, body, await self._token())

    async def _token(self) -> Token:
        """Wait for a token, for as long as it takes; less only when `pause` raises."""
        if (token := self._tokens.at_hand()) is not None:
            return token
        asked = asyncio.ensure_future(self._tokens.token())
        try:
            while not (await asyncio.wait({asked}, timeout=self._patience))[0]:
                self._on_trouble("CXone's token server gives no token")
                await self._pause(0)
            return asked.result()
        finally:
            asked.cancel()

    async def _send(
        self, method: str, url: httpx.URL | str, headers: Mapping[str, str], body: bytes, token: Token
    ) -> Answer:
        if self._redactor is None or self._redactor[0] is not token:
            self._redactor = token, Redactor([token.value])
        return await self._exchange.ask(method, url, headers=_headers(token, headers), body=body)

    def _presentable(self, answer: Answer) -> Answer:
        """Return the answer for those who know no token: a proxy's error page may hold the request."""
        assert self._redactor is not None  # noqa: S101 - there was a request
        # Before the cut, which could leave the beginning of a token.
        return replace(answer, body=self._redactor[1].hide(answer.body[: 2 * LONGEST_BODY])[:LONGEST_BODY])


def _headers(token: Token, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token.value.get_secret_value()}",
        "Content-Type": "application/json",
        **headers,
    }
