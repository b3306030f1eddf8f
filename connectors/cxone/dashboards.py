"""CXone's dashboards over REST: documents with ETags, and subscriptions to what others change."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from connectors.cxone.dialect import Dialect
from connectors.cxone.oauth import Credentials, TokenSource
from connectors.cxone.rest import RestClient
from connectors.http.exchange import Answer, Exchange
from connectors.http.transport import Transport
from connectors.settings import CxoneSettings

REQUESTS_PER_SECOND = 100.0


@dataclass(frozen=True, slots=True)
class Timed:
    """An answer, and the seconds that it took."""

    answer: Answer
    seconds: float


class Budget:
    """So many requests a second, evenly: who comes sooner waits."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap, self._clock, self._next = 1 / rate, clock, 0.0

    def wait(self) -> float:
        """Take a place; return the seconds until it."""
        now = self._clock()
        place = max(self._next, now)
        self._next = place + self._gap
        return place - now


class DashboardApi:
    """Asks for dashboards at `url`, within a budget of requests that all callers share.

    Args:
        rest: tokens, 401 and 429 are its.
        url: of the dashboards; a dashboard's id comes behind it.
        subscriptions_url: of the subscriptions to events.
        pause: sleeps; what it raises ends the call before it is made.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        rest: RestClient,
        url: str,
        subscriptions_url: str,
        *,
        pause: Callable[[float], Awaitable[None]],
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest, self._url, self._subscriptions_url = rest, url.rstrip("/"), subscriptions_url
        self._pause, self._clock = pause, clock
        self._budget = budget or Budget(REQUESTS_PER_SECOND)

    async def get(self, dashboard: str) -> Timed:
        """Return the answer to a GET. Raises Unavailable, as all of these."""
        return await self._ask("GET", self._of(dashboard))

    async def put(self, dashboard: str, body: bytes, etag: str, *, key: str) -> Timed:
        """Replace a dashboard that still has `etag`; `key` names the attempt."""
        return await self._ask("PUT", self._of(dashboard), {"If-Match": etag, "Idempotency-Key": key}, body)

    async def create(self, dashboard: str, body: bytes, *, key: str) -> Timed:
        """Make a dashboard."""
        return await self._ask("POST", self._of(dashboard), {"Idempotency-Key": key}, body)

    async def subscriptions(self) -> Timed:
        """Return the answer to a GET of the subscriptions."""
        return await self._ask("GET", self._subscriptions_url)

    async def subscribe(self, subscription: dict[str, object]) -> Timed:
        """Make a subscription."""
        return await self._ask("POST", self._subscriptions_url, {}, orjson.dumps(subscription))

    async def close(self) -> None:
        """Let go of connections."""
        await self._rest.close()

    async def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Timed:
        if (wait := self._budget.wait()) > 0:
            await self._pause(wait)
        began = self._clock()
        answer = await self._rest.ask(method, url, headers=headers, body=body)
        return Timed(answer, self._clock() - began)

    def _of(self, dashboard: str) -> str:
        return f"{self._url}/{quote(dashboard, safe='')}"


def connected(  # noqa: PLR0913 - a composition point
    dialect: Dialect,
    settings: CxoneSettings,
    *,
    timeout: float,
    connections: int,
    pause: Callable[[float], Awaitable[None]],
    on_trouble: Callable[[str | None], None] = lambda _: None,
    rate: float = REQUESTS_PER_SECOND,
) -> DashboardApi:
    """Return the API of a tenant. `timeout` in seconds, for one request. Raises ConfigurationError."""
    spoken = dialect.dashboards
    url, token_url, subscriptions = (
        spoken.api_url(settings),
        spoken.token_url(settings),
        spoken.subscriptions(settings),
    )
    credentials = Credentials(
        token_url=token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=spoken.oauth.scope,
        renew_before=spoken.oauth.renew_before,
    )
    transport = Transport(url, token_url, subscriptions, connections=connections)
    rest = RestClient(
        Exchange("CXone", transport, timeout=timeout),
        TokenSource(credentials, Exchange("the token server", transport, timeout=timeout)),
        pause=pause,
        on_trouble=on_trouble,
    )
    return DashboardApi(rest, url, subscriptions, pause=pause, budget=Budget(rate))
