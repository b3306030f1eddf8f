"""What CXone's REST API knows of an interaction, for those who can do without it.

An answer is remembered for some minutes. CXone is asked once, for a short time; when that does not go well nobody is
asked for some seconds, so that an outage costs those who ask nothing.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import structlog
from prometheus_client import Counter

from connectors.cxone.oauth import Credentials, TokenSource
from connectors.cxone.rest import RestClient
from connectors.cxone.scoring_dialect import Details
from connectors.errors import Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.http.transport import Transport
from connectors.settings import CxoneSettings, load

log = structlog.get_logger(component="interaction details")

REMEMBERED = 10_000  # interactions
GOOD_FOR = 300.0  # seconds
TOKEN_TIMEOUT = 10.0  # seconds: a token is waited for by nobody longer than for an answer, and is there the next time
QUIET = 10.0  # seconds after an answer that did not come

ASKED = Counter("cxone_scoring_details", "Interactions that CXone was to tell of, by what came of it.", ["outcome"])

Known = Mapping[str, Any]

_NO_SEGMENT = {".", ".."}  # of a path, however they are written


class Api(Protocol):
    """What is needed of `RestClient`."""

    async def ask(self, method: str, url: str) -> Answer: ...
    async def close(self) -> None: ...


class InteractionDetails:
    """Asks `api` for `url`/<interaction id>, for `timeout` seconds at most, tokens included."""

    def __init__(self, api: Api, url: str, *, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._url, self._timeout, self._clock = api, url.rstrip("/"), timeout, clock
        self._known: OrderedDict[str, tuple[float, Known]] = OrderedDict()
        self._quiet_until = clock()
        self._trouble: str | None = None

    async def of(self, interaction_id: str) -> Known:
        """Return what CXone says; an empty mapping when it knows nothing or does not say it in time."""
        now = self._clock()
        until, known = self._known.get(interaction_id, (now, {}))
        if now < until:
            ASKED.labels("remembered").inc()
            return known
        if now < self._quiet_until or interaction_id in _NO_SEGMENT:
            ASKED.labels("not asked").inc()
            return {}
        return await self._asked(interaction_id)

    async def _asked(self, interaction_id: str) -> Known:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._api.ask("GET", f"{self._url}/{quote(interaction_id, safe='')}")
        except TimeoutError:
            return self._failed(self._trouble or f"no answer within {self._timeout:g} s")
        except Unavailable as none:
            return self._failed(str(none))
        if answer.is_success:
            return self._remember(interaction_id, answer.object(), "found")
        if answer.status == HTTPStatus.NOT_FOUND:
            return self._remember(interaction_id, {}, "unknown")
        return self._failed(f"status {answer.status}")

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    def on_trouble(self, trouble: str | None) -> None:
        """Take why nothing can be asked, as `RestClient` tells it."""
        self._trouble = trouble

    def _remember(self, interaction_id: str, known: Known, outcome: str) -> Known:
        ASKED.labels(outcome).inc()
        self._known[interaction_id] = self._clock() + GOOD_FOR, known
        self._known.move_to_end(interaction_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _failed(self, why: str) -> Known:
        ASKED.labels("failed").inc()
        log.warning("CXone does not tell of interactions; scored without that", reason=why, asked_again_in=QUIET)
        self._quiet_until = self._clock() + QUIET
        return {}


def connected(details: Details, *, timeout: float, connections: int) -> InteractionDetails:
    """Return what the API of the tenant in the environment tells. `timeout` in seconds. Raises ConfigurationError."""
    settings = load(CxoneSettings)
    url, token_url = details.api_url(settings), details.token_url(settings)
    credentials = Credentials(
        token_url=token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=details.oauth.scope,
        renew_before=details.oauth.renew_before,
    )
    transport = Transport(url, token_url, connections=connections)
    tokens = TokenSource(credentials, Exchange("the token server", transport, timeout=TOKEN_TIMEOUT))
    rest = RestClient(
        Exchange("CXone", transport, timeout=timeout),
        tokens,
        on_trouble=lambda trouble: told.on_trouble(trouble),  # noqa: PLW0108 - it is made below
    )
    told = InteractionDetails(rest, url, timeout=timeout)
    return told
