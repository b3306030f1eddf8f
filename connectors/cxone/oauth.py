"""OAuth client credentials -> a token that is always good: cached, renewed early, asked for once at a time."""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import structlog
from prometheus_client import Gauge
from pydantic import SecretStr

from connectors.errors import AuthorizationError, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.retry import delays

log = structlog.get_logger()

GRANTED = Gauge("cxone_token_granted_seconds", "When the last token came, since the epoch.", ["server"])

ASSUMED_LIFETIME = 300.0  # seconds, where the answer names none that makes sense
LONGEST_LIFETIME = 86_400.0
SHORTEST_USE = 1.0  # seconds between two renewals, however short a token lives

_TOKEN = re.compile(r"[!-~]{1,4096}")  # what fits into a header, a URL and a message, whatever RFC 6750 says


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
    """Tokens of one server, asked through `exchange`, whose deadline is the caller's."""

    def __init__(
        self,
        credentials: Credentials,
        exchange: Exchange,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._credentials = credentials
        self._exchange = exchange
        self._now = now
        self._sleep = sleep
        self._server = urlsplit(credentials.token_url).hostname or ""
        self._token: Token | None = None
        self._renewal: asyncio.Task[Token] | None = None

    async def token(self) -> Token:
        """Return the cached token, or wait for the one renewal that all callers share.

        An unreachable or failing server is asked again for ever. Raises AuthorizationError when it refuses, or grants
        less than the scope that was asked for.
        """
        if (token := self.at_hand()) is not None:
            return token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        return await asyncio.shield(self._renewal)  # a caller that gives up must not take the others' token

    def at_hand(self) -> Token | None:
        """Return the token that needs no asking, or None."""
        return self._token if self._token is not None and self._now() < self._token.renew_at else None

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
            GRANTED.labels(self._server).set(self._now())

    async def _renew(self) -> Token:
        backoff = delays()
        while True:
            wait = None
            try:
                answer = await self._exchange.ask("POST", self._credentials.token_url, headers=_FORM, body=self._form())
            except Unavailable as unreachable:
                problem = str(unreachable)
            else:
                if token := self._read(answer):
                    return token
                problem = f"the token server answered {answer.status} without a token"
                if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                    wait = answer.retry_after
            wait = next(backoff) if wait is None else wait
            log.warning("no token yet", reason=problem, retry_in=round(wait, 1))
            await self._sleep(wait)

    def _form(self) -> bytes:
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret.get_secret_value(),
            "scope": self._credentials.scope,
        }
        return urlencode(fields).encode()

    def _read(self, answer: Answer) -> Token | None:
        """Return the token, or None when asking again may help."""
        if answer.is_success:
            given = answer.object()
            value = given.get("access_token")
            if not isinstance(value, str) or not _TOKEN.fullmatch(value):
                return None
            if missing := _missing(given.get("scope"), self._credentials.scope):
                raise AuthorizationError(
                    f"CXone gave a token without {' and '.join(missing)}: add that to what the OAuth client may do."
                )
            return Token(SecretStr(value), self._now() + self._use_for(given.get("expires_in")))
        if answer.is_server_error or answer.status in _TRY_AGAIN:
            return None
        raise AuthorizationError(refusal(answer, self._credentials.scope))

    def _use_for(self, expires_in: object) -> float:
        lifetime = _seconds(expires_in)
        # A token that lives hardly longer than the margin is still used for half its life.
        return max(lifetime - self._credentials.renew_before, lifetime / 2, SHORTEST_USE)


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def refusal(answer: Answer, scope: str) -> str:
    """Say in a sentence why no token was given and what to look at."""
    status = answer.status
    if status == HTTPStatus.FORBIDDEN:
        wanted = scope.split()
        hint = f"{answer.object().get('scope', '')} {answer.challenge}"
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


def _seconds(value: object) -> float:
    """Read a lifetime in seconds, which servers also write as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ASSUMED_LIFETIME
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return ASSUMED_LIFETIME
    return min(seconds, LONGEST_LIFETIME) if math.isfinite(seconds) and seconds > 0 else ASSUMED_LIFETIME
