"""Lines of line protocol -> InfluxDB v2, so that every line is either taken or refused by name.

The write endpoint is spoken with directly: the official client reads an answer without a limit in size or time.

* 204: taken.
* 400, 413: nothing of the request was written. 422: a part was (field type conflict, retention). The lines are written
  again in halves until each has been in a request that was taken or is refused by itself. Writing a point twice is
  harmless, and parts go in order, so of two points with the same series and time the later one still wins.
* 408, 429, 5xx, no answer in time: `Unavailable`, with the seconds of a Retry-After.
* anything else, such as 401, 403 and 404, but also a 200 of some other server: `Misconfigured`.
"""

import asyncio
import gzip
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from connectors.errors import Misconfigured, Unavailable
from connectors.http.exchange import Answer, Exchange
from connectors.http.transport import Transport
from connectors.redaction import presentable
from connectors.settings import InfluxSettings

_TAKEN = 204
_LINES_REFUSED = {400, 413, 422}
_TRY_LATER = {408, 429}
# May count too few (one shard, one cause), never too many. At the end only: before it there may be a campaign's name.
_DROPPED = re.compile(r" dropped=(\d+)(?: for database: \S+ for retention policy: \S+)?\Z")
_LONGEST_WORDS = 2000
_QUICKLY = 3  # gzip's level: beyond it lines hardly become smaller
_ADVICE = {
    401: "Check INFLUX_TOKEN.",
    403: "Give the token of INFLUX_TOKEN the right to write to the bucket.",
    404: "Check INFLUX_BUCKET and INFLUX_ORG, and the path in INFLUX_URL.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that InfluxDB will not take, by its index in what was given to `write`, and InfluxDB's words."""

    index: int
    reason: str


class InfluxWriter:
    """Writes to one bucket. Each line must be one point with its timestamp in seconds."""

    def __init__(self, settings: InfluxSettings, *, now: Callable[[], float] = time.time) -> None:
        """Connect on the first write. `now` is in seconds since the epoch (for a Retry-After that is a date).

        Raises ConfigurationError when the environment's proxy to INFLUX_URL cannot be used.
        """
        self._settings = settings
        self._exchange = Exchange("InfluxDB", Transport(settings.url), timeout=settings.timeout, now=now)
        target = urlencode({"org": settings.org, "bucket": settings.bucket, "precision": "s"})
        self._url = f"{settings.url.rstrip('/')}/api/v2/write?{target}"

    async def write(self, lines: Sequence[str]) -> list[Refusal]:
        """Write `lines`; return those refused, in order. Every other line is stored when this returns.

        It takes one request if InfluxDB takes them all; see the module for what happens otherwise.

        Raises Unavailable or Misconfigured when it cannot be told for every line whether it was taken: write all of
        them again.
        """
        refused: list[Refusal] = []
        parts = [range(len(lines))] if lines else []
        while parts:
            part = parts.pop()
            words = await self._post(lines[part.start : part.stop])
            if words is None:
                continue
            if len(part) == 1 or _dropped(words) == len(part):
                refused += (Refusal(index, words) for index in part)
            else:
                half = len(part) // 2
                parts += (part[half:], part[:half])
        return refused

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    async def _post(self, lines: Sequence[str]) -> str | None:
        """Return None if InfluxDB took all `lines`, its words if it refused some or all."""
        body = await asyncio.to_thread(gzip.compress, "\n".join(lines).encode(), _QUICKLY)
        return self._meaning(await self._exchange.ask("POST", self._url, headers=self._headers(), body=body))

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Token {self._settings.token.get_secret_value()}",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Encoding": "gzip",
        }

    def _meaning(self, answer: Answer) -> str | None:
        if answer.status == _TAKEN:
            return None
        words = self._words(answer)
        if answer.status in _LINES_REFUSED:
            return words
        if answer.status in _TRY_LATER or answer.is_server_error:
            raise Unavailable(f"InfluxDB answered {answer.status}: {words}", retry_after=answer.retry_after)
        org, bucket = self._settings.org, self._settings.bucket
        raise Misconfigured(
            f"InfluxDB answered {answer.status} to a write to bucket {bucket!r}, organisation {org!r}: {words}. "
            + _ADVICE.get(answer.status, "Check that INFLUX_URL leads to an InfluxDB v2.")
        )

    def _words(self, answer: Answer) -> str:
        said = answer.object().get("message")
        if isinstance(said, str):
            return presentable(said, [self._settings.token], _LONGEST_WORDS)
        return answer.words([self._settings.token], _LONGEST_WORDS)


def _dropped(words: str) -> int | None:
    found = _DROPPED.search(words)
    return int(found[1]) if found else None
