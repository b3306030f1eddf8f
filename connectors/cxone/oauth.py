"""OAuth client credentials -> a token that is always good: cached, renewed early, asked for once at a time."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import structlog
from pydantic import SecretStr

from connectors.errors import AuthorizationError
from connectors.retry import delays, retry_after

log = structlog.get_logger()

ASSUMED_LIFETIME = 300.0  # seconds, where the answer names none that makes sense
LONGEST_LIFETIME = 86_400.0
SHORTEST_USE = 1.0  # seconds between two renewals, however short a token lives


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and when it should be replaced (seconds since the epoch)."""

    value: SecretStr
    renew_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who asks, where, and for what."""

    token_url: str
    client_id: str
    client_secret: SecretStr
    scope: str
    renew_before: float  # seconds before expiry


class TokenSource:
    """Tokens over one HTTP client, whose timeouts are the caller's."""

    def __init__(
        self,
        credentials: Credentials,
        client: httpx.AsyncClient,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._now = now
        self._sleep = sleep
        self._token: Token | None = None
        self._renewal: asyncio.Task[Token] | None = None

    async def token(self) -> Token:
        """Return the cached token, or wait for the one renewal that all callers share.

        An unreachable or failing server is asked again for ever. Raises AuthorizationError when it refuses, or grants
        less than the scope that was asked for.
        """
        if self._token is not None and self._now() < self._token.renew_at:
            return self._token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        return await asyncio.shield(self._renewal)  # a caller that gives up must not take the others' token

    def refused(self, token: Token) -> None:
        """Drop `token`, which CXone did not accept, unless it has been replaced already."""
        if self._token == token:
            self._token = None

    async def close(self) -> None:
        """Stop a renewal under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _renewed(self, renewal: asyncio.Task[Token]) -> None:
        self._renewal = None
        if not renewal.cancelled() and renewal.exception() is None:
            self._token = renewal.result()

    async def _renew(self) -> Token:
        backoff = delays()
        while True:
            wait = None
            try:
                response = await self._client.post(
                    self._credentials.token_url,
                    data={
                        "grant_type": "client_credentials",
                        "client_id": self._credentials.client_id,
                        "client_secret": self._credentials.client_secret.get_secret_value(),
                        "scope": self._credentials.scope,
                    },
                    headers={"Accept": "application/json"},
                )
            except httpx.RequestError as unreachable:
                problem = f"cannot reach the token server ({type(unreachable).__name__})"
            else:
                if token := self._read(response):
                    return token
                problem = f"the token server answered {response.status_code} without a token"
                if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    wait = retry_after(response.headers.get("retry-after"), self._now())
            wait = next(backoff) if wait is None else wait
            log.warning("no token yet", reason=problem, retry_in=round(wait, 1))
            await self._sleep(wait)

    def _read(self, response: httpx.Response) -> Token | None:
        """Return the token, or None when asking again may help."""
        if response.is_success:
            answer = _object(response)
            value = answer.get("access_token")
            if not isinstance(value, str) or not value:
                return None
            if missing := _missing(answer.get("scope"), self._credentials.scope):
                raise AuthorizationError(
                    f"CXone gave a token without {' and '.join(missing)}: add that to what the OAuth client may do."
                )
            return Token(SecretStr(value), self._now() + self._use_for(answer.get("expires_in")))
        if response.is_server_error or response.status_code in _TRY_AGAIN:
            return None
        raise AuthorizationError(refusal(response, self._credentials.scope))

    def _use_for(self, expires_in: object) -> float:
        lifetime = _seconds(expires_in)
        # A token that lives hardly longer than the margin is still used for half its life.
        return max(lifetime - self._credentials.renew_before, lifetime / 2, SHORTEST_USE)


_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def refusal(response: httpx.Response, scope: str) -> str:
    """Say in a sentence why no token was given and what to look at."""
    status = response.status_code
    if status == HTTPStatus.FORBIDDEN:
        wanted = scope.split()
        hint = f"{_object(response).get('scope', '')} {response.headers.get('www-authenticate', '')}"
        # Only names that we asked for: what a server answers is not repeated into our log.
        missing = [name for name in wanted if name in hint] or wanted
        return f"CXone refused the scope (403): the OAuth client needs {' and '.join(missing)}."
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        return (
            f"CXone refused the credentials or the scope ({status}): check CXONE_CLIENT_ID and CXONE_CLIENT_SECRET,"
            f" and that this client may have {scope}."
        )
    return f"The token server answered {status}: check the token URL (CXONE_ORG_DOMAIN and the dialect)."


def _missing(granted: object, wanted: str) -> list[str]:
    """Return the scopes that were not granted; none where the answer does not say."""
    given = granted.split() if isinstance(granted, str) else []
    return [name for name in wanted.split() if name not in given] if given else []


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> float:
    """Read a lifetime in seconds, which servers also write as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ASSUMED_LIFETIME
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return ASSUMED_LIFETIME
    return min(seconds, LONGEST_LIFETIME) if math.isfinite(seconds) and seconds > 0 else ASSUMED_LIFETIME
