"""Event subscriptions over CXone's REST API, and what its answers mean.

* 2xx: as asked. 404, 410 to a subscription: CXone has forgotten it.
* 401: another token, once; then it is the credentials. 403: the scope.
* 408, 425, 429, 5xx, timeouts, network, an answer without an id: `Unavailable`, with the seconds of a Retry-After.
* anything else (422 for a field that CXone has not): refused, in CXone's words. To the question whether there is one,
  it says that CXone cannot be asked: the socket will tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import SecretStr

from connectors.cxone.websocket import Tokens
from connectors.errors import AuthorizationError, SubscriptionRefused, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.redaction import presentable
from schemas.frame_fields import Paths, first, identity

LONGEST_WORDS = 500  # characters of CXone's that are told

_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_FORGOTTEN = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is subscribed to: `request` goes to `url`, and paths lead to the id, or to why not, in CXone's answer."""

    url: str
    request: Mapping[str, Any]
    id: Paths
    message: Paths


class EventSubscriptions:
    """The subscriptions of one tenant, asked for through `exchange`."""

    def __init__(self, wanted: Wanted, exchange: Exchange, tokens: Tokens) -> None:
        self._wanted, self._exchange, self._tokens = wanted, exchange, tokens
        self._shown: tuple[SecretStr, ...] = ()  # tokens of the last request: CXone's words may repeat them

    async def create(self) -> str:
        """Return the id of a new subscription. Raises SubscriptionRefused, AuthorizationError or Unavailable."""
        answer = await self._ask("POST", self._wanted.url, orjson.dumps(self._wanted.request))
        if not answer.is_success:
            raise SubscriptionRefused(
                f"CXone refused the event subscription ({answer.status}): {self._words(answer)}"
                " Check analytics.subscription in the dialect, and CXONE_ANALYTICS_API_URL."
            )
        name = identity(answer.object(), self._wanted.id)
        if name is None:
            raise Unavailable(f"CXone answered {answer.status} to an event subscription, without an id")
        return name

    async def exists(self, name: str) -> bool:
        """Return whether CXone knows a subscription; True where it cannot be asked. Raises as `create`."""
        return (await self._ask("GET", self._url(name))).status not in _FORGOTTEN

    async def delete(self, name: str) -> None:
        """Delete a subscription, if CXone has it and lets us. Raises Unavailable or AuthorizationError."""
        await self._ask("DELETE", self._url(name))

    def _url(self, name: str) -> str:
        return f"{self._wanted.url}/{quote(name, safe='')}"

    async def _ask(self, method: str, url: str, body: bytes = b"") -> Answer:
        token = await self._tokens.token()
        self._shown = (token.value,)
        answer = await self._exchange.ask(method, url, headers=_headers(token.value), body=body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(token)
            token = await self._tokens.token()
            self._shown += (token.value,)
            answer = await self._exchange.ask(method, url, headers=_headers(token.value), body=body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise AuthorizationError(
                "CXone refused the token at its event subscriptions (401): check CXONE_CLIENT_ID and"
                f" CXONE_CLIENT_SECRET. {self._words(answer)}"
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise AuthorizationError(
                "CXone refused the scope at its event subscriptions (403): the OAuth client needs events:subscribe."
                f" {self._words(answer)}"
            )
        if answer.status in _TRY_LATER or answer.is_server_error:
            raise Unavailable(
                f"CXone answered {answer.status} to an event subscription", retry_after=answer.retry_after
            )
        return answer

    def _words(self, answer: Answer) -> str:
        words = first(answer.object(), self._wanted.message)
        if not isinstance(words, str):
            return "It does not say why."
        return f"{presentable(' '.join(words.split()), self._shown, LONGEST_WORDS)!r}."


def _headers(token: SecretStr) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token.get_secret_value()}"}
