"""What a receiver of alerts does, and what its answers mean.

* 2xx: told.
* 408, 409, 425, 429, 5xx, no answer in time: `Unavailable`, with the seconds of a Retry-After.
* 401, 403, 404, 405, 407, and what is no answer to a POST, such as a redirect: `Misconfigured`.
* any other 4xx: refused as bad.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from pydantic import SecretStr

from connectors.errors import Misconfigured, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.redaction import keys_in
from schemas.records import AlertRecord

_TRY_LATER = {408, 409, 425, 429}
_MISCONFIGURED = {401, 403, 404, 405, 407}
_LONGEST_WORDS = 500  # characters of the receiver's that are kept


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert to tell of. `was` are other severities under which the receiver may have it open."""

    record: AlertRecord
    was: frozenset[str] = frozenset()


class Receiver(Protocol):
    """Who is told."""

    @property
    def resend(self) -> float | None:
        """Return how often open alerts have to be told again, in seconds; None: never."""

    @property
    def most(self) -> int:
        """Return how many alerts it is told of at a time."""

    async def tell(self, notices: Sequence[Notice], now: float) -> str | None:
        """Return None when it is told, its words when it refuses them as bad. `now` is in seconds since the epoch.

        Telling the same again changes nothing. Raises Unavailable or Misconfigured: tell it again.
        """

    async def close(self) -> None: ...


class Posting:
    """POSTs JSON to one URL, through `exchange`. `peer` is who that is, for errors.

    What may be a key in `url` is hidden in the receiver's words: `connectors.redaction.keys_in`.
    """

    def __init__(self, peer: str, url: SecretStr | str, token: SecretStr | None, exchange: Exchange) -> None:
        self._peer, self._token, self._exchange = peer, token, exchange
        self._url = url.get_secret_value() if isinstance(url, SecretStr) else url
        self._secrets = [token, *keys_in(url)]

    async def post(self, content: object, key: str | None = None) -> str | None:
        """Return None when it is taken, the receiver's words when it is refused as bad. `key` makes it idempotent.

        Raises Unavailable or Misconfigured.
        """
        body = orjson.dumps(content)
        return self._meaning(await self._exchange.ask("POST", self._url, headers=self._headers(key), body=body))

    async def close(self) -> None:
        await self._exchange.close()

    def _headers(self, key: str | None) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return headers

    def _meaning(self, answer: Answer) -> str | None:
        status = answer.status
        if answer.is_success:
            return None
        if status in _TRY_LATER or answer.is_server_error:
            raise Unavailable(f"{self._peer} answered {status}", retry_after=answer.retry_after)
        if status in _MISCONFIGURED or not answer.is_client_error:
            raise Misconfigured(f"{self._peer} answered {status}. Check its URL, and ALERT_TOKEN.")
        return f"{status} {answer.words(self._secrets, _LONGEST_WORDS)}".strip()
