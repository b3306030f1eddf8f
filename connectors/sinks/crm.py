"""Messages -> the CRM: one POST with a JSON list and an Idempotency-Key, and what its answers mean.

* 2xx: taken, all of it.
* 408, 409 (the key is still being worked on), 425, 429, 5xx, timeouts, network: `Unavailable`, with the seconds of a
  Retry-After.
* 401, 403, 404, 405, 407, and what is no answer to a POST, such as a redirect: `Misconfigured`.
* any other 4xx: refused as bad. Who sent it finds out which message is, by sending halves.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import httpx
import orjson

from connectors.errors import Misconfigured, SinkError, Unavailable
from connectors.retry import retry_after
from connectors.settings import CrmSettings
from connectors.sinks.until_answered import presentable

_TRY_LATER = {408, 409, 425, 429}
_LONGEST_WORDS = 500  # characters of the CRM's that are kept
_ADVICE = {
    401: "Check CRM_TOKEN.",
    403: "Give the token of CRM_TOKEN the right to write messages.",
    404: "Check the path in CRM_URL.",
    405: "Check that CRM_URL takes POST.",
    407: "A proxy wants to know who asks.",
}

Row = Mapping[str, str | None]


class Crm(Protocol):
    """What takes messages."""

    async def post(self, rows: Sequence[Row], key: str) -> str | None:
        """Return None when all `rows` are taken, the CRM's words when it refuses them as bad: then none is taken.

        The same `key` always comes with the same rows, and a CRM that honours keys takes them once. Raises Unavailable
        or Misconfigured when it is not known whether they were taken: post them again, under the same key.
        """

    async def close(self) -> None: ...


class HttpCrm:
    """The CRM at CRM_URL, over connections that are kept."""

    def __init__(self, settings: CrmSettings, *, now: Callable[[], float] = time.time) -> None:
        """`now` is in seconds since the epoch (for a Retry-After that is a date)."""
        self._settings, self._now = settings, now
        self._client = httpx.AsyncClient(
            timeout=None,  # noqa: S113 - `post` has one, for the answer as a whole
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=settings.concurrency),
        )

    async def post(self, rows: Sequence[Row], key: str) -> str | None:
        """As `Crm.post`."""
        # Raised out here: an error raised in `except` leads a traceback with local variables to httpx's frames, where
        # the token is.
        answer = await self._ask(orjson.dumps(rows), key)
        if isinstance(answer, SinkError):
            raise answer
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, body: bytes, key: str) -> str | SinkError | None:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": key}
        if self._settings.token is not None:
            headers["Authorization"] = f"Bearer {self._settings.token.get_secret_value()}"
        try:
            async with asyncio.timeout(self._settings.timeout):
                response = await self._client.post(self._settings.url, content=body, headers=headers)
        except TimeoutError:
            return Unavailable(f"the CRM did not answer within {self._settings.timeout:g} s")
        except httpx.RequestError as error:
            return Unavailable(f"the CRM did not answer ({type(error).__name__})")
        return self._meaning(response)

    def _meaning(self, response: httpx.Response) -> str | SinkError | None:
        # What the CRM says may repeat what a guest wrote: it goes to the dead letters, not into logs and probes.
        status = response.status_code
        if response.is_success:
            return None
        if status in _TRY_LATER or response.is_server_error:
            seconds = retry_after(response.headers.get("retry-after"), self._now())
            return Unavailable(f"the CRM answered {status}", retry_after=seconds)
        if status in _ADVICE or not response.is_client_error:
            return Misconfigured(f"the CRM answered {status}. {_ADVICE.get(status, 'Check CRM_URL.')}")
        return f"{status} {presentable(response.text, self._settings.token, _LONGEST_WORDS)}".strip()
