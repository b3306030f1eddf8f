"""An endpoint of the user's that takes bodies by POST, each with an Idempotency-Key."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from pydantic import SecretStr

from connectors.http.exchange import Answer, Exchange
from connectors.http.gate import REFUSED, Gate
from connectors.http.transport import Transport
from connectors.redaction import keys_in

_WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}


class Endpoint:
    """The endpoint at `url`, over connections that are kept.

    While it says 429 or does not know who asks, all calls wait: that uses up nobody's attempt.

    Args:
        peer: who it is, for errors: "the model".
        url: where it is. What may be a key in it is hidden in what the endpoint says: `connectors.redaction.keys_in`.
        token: bearer token; None sends none.
        token_name: the setting that has it, for errors.
        timeout: seconds for one answer.
        connections: most at a time.
        pause: sleeps; what it raises ends the call before it is made.
        on_trouble: told why nothing is taken, and None when it is again.

    Raises ConfigurationError when the environment's proxy to `url` cannot be used.
    """

    def __init__(  # noqa: PLR0913 - a composition point
        self,
        peer: str,
        url: SecretStr | str,
        *,
        token: SecretStr | None,
        token_name: str,
        timeout: float,
        connections: int,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_trouble: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._peer, self._token, self._token_name = peer, token, token_name
        self._url = url.get_secret_value() if isinstance(url, SecretStr) else url
        self._secrets = [token, *keys_in(url)]
        self._exchange = Exchange(peer, Transport(self._url, connections=connections), timeout=timeout)
        self._gate, self._on_trouble = Gate(pause), on_trouble

    async def ask(self, body: bytes, *, key: str) -> tuple[Answer, float]:
        """Return the endpoint's answer and the seconds that it took, whatever its status.

        That is never 401, 407 or 429, which are waited out.

        Raises Unavailable when there was none in time.
        """
        while True:
            await self._gate.passed()
            began = time.monotonic()
            answer = await self._exchange.ask("POST", self._url, headers=self._headers(key), body=body)
            if answer.status not in _WAIT:
                self._gate.well()
                self._on_trouble(None)
                return answer, time.monotonic() - began
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._gate.close(answer.retry_after)
            else:
                self._gate.close(answer.retry_after or REFUSED)
                self._on_trouble(f"{self._peer} answered {answer.status}. Check {self._token_name}.")

    def words(self, answer: Answer, longest: int) -> str:
        """Return what the endpoint said, for dead letters: without the token and keys in the URL, on one line."""
        return answer.words(self._secrets, longest)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    def _headers(self, key: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return headers
