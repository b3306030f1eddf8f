"""Messages -> the CRM: one POST with a JSON list and an Idempotency-Key, and what its answers mean.

* 2xx: taken, all of it; but one that says that some rows failed is a refusal. The stage sends halves then, under keys
  of their own, so that rows of it that were taken come a second time: better twice than lost. An answer to several
  rows that is too long to be read whole may say so, too, and is a refusal: of fewer rows there is less to say.
* 408, 409 (the key is still being worked on), 425, 429, 5xx, no answer in time: `Unavailable`, with the seconds of a
  Retry-After.
* 401, 403, 404, 405, 407, and what is no answer to a POST, such as a redirect: `Misconfigured`.
* any other 4xx: refused as bad. Who sent it finds out which message is, by sending halves.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import orjson

from connectors.errors import Misconfigured, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.http.transport import Transport
from connectors.redaction import keys_in
from connectors.settings import CrmSettings
from connectors.sinks.partly_taken import says_that_some_failed

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
        """`now` is in seconds since the epoch (for a Retry-After that is a date).

        Raises ConfigurationError when the environment's proxy to CRM_URL cannot be used.
        """
        self._settings = settings
        self._secrets = [settings.token, *keys_in(settings.url)]
        self._exchange = Exchange("the CRM", Transport(settings.url), timeout=settings.timeout, now=now)

    async def post(self, rows: Sequence[Row], key: str) -> str | None:
        """As `Crm.post`."""
        url, body = self._settings.url, orjson.dumps(rows)
        answer = await self._exchange.ask("POST", url, headers=self._headers(key), body=body)
        return self._meaning(answer, read=not answer.cut or len(rows) == 1)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    def _headers(self, key: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._settings.token is not None:
            headers["Authorization"] = f"Bearer {self._settings.token.get_secret_value()}"
        return headers

    def _meaning(self, answer: Answer, *, read: bool) -> str | None:
        """Return what an answer means; one that was not `read` to where it counts is no success."""
        # What the CRM says may repeat what a guest wrote: it goes to the dead letters, not into logs and probes.
        status = answer.status
        if answer.is_success and read and not says_that_some_failed(status, answer.json()):
            return None
        if status in _TRY_LATER or answer.is_server_error:
            raise Unavailable(f"the CRM answered {status}", retry_after=answer.retry_after)
        if status in _ADVICE or not (answer.is_client_error or answer.is_success):
            raise Misconfigured(f"the CRM answered {status}. {_ADVICE.get(status, 'Check CRM_URL.')}")
        return f"{status} {answer.words(self._secrets, _LONGEST_WORDS)}".strip()
