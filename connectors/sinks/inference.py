"""An interaction -> the model's endpoint at INFERENCE_URL: one POST with an Idempotency-Key, no order."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from connectors.http.exchange import Answer, Exchange
from connectors.http.gate import REFUSED, Gate
from connectors.http.transport import Transport
from connectors.sinks.settings import InferenceSettings

_WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}


class Inference:
    """The endpoint, over connections that are kept.

    While it says 429 or does not know who asks, all calls wait: that uses up nobody's attempt.

    Args:
        settings: where it is.
        timeout: seconds for one answer.
        connections: most at a time.
        pause: sleeps; what it raises ends the call before it is made.
        on_trouble: told why nothing can be scored, and None when it can again.

    Raises ConfigurationError when the environment's proxy to INFERENCE_URL cannot be used.
    """

    def __init__(
        self,
        settings: InferenceSettings,
        *,
        timeout: float,
        connections: int,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_trouble: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._settings, self._on_trouble = settings, on_trouble
        self._exchange = Exchange("the model", Transport(settings.url, connections=connections), timeout=timeout)
        self._gate = Gate(pause)

    async def ask(self, body: bytes, *, key: str) -> tuple[Answer, float]:
        """Return the endpoint's answer and the seconds that it took, whatever its status.

        That is never 401, 407 or 429, which are waited out.

        Raises Unavailable when there was none in time.
        """
        while True:
            await self._gate.passed()
            began = time.monotonic()
            answer = await self._exchange.ask("POST", self._settings.url, headers=self._headers(key), body=body)
            if answer.status not in _WAIT:
                self._gate.well()
                self._on_trouble(None)
                return answer, time.monotonic() - began
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._gate.close(answer.retry_after)
            else:
                self._gate.close(answer.retry_after or REFUSED)
                self._on_trouble(f"the model answered {answer.status}. Check INFERENCE_TOKEN.")

    def words(self, answer: Answer, longest: int) -> str:
        """Return what the endpoint said, for dead letters: without the token, on one line."""
        return answer.words([self._settings.token], longest)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    def _headers(self, key: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._settings.token is not None:
            headers["Authorization"] = f"Bearer {self._settings.token.get_secret_value()}"
        return headers
