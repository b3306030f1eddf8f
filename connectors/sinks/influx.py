"""Lines of line protocol -> InfluxDB v2, so that every line is either taken or refused by name.

The official client sends; what its answers mean is decided here (its own retries stay off):

* 204: taken.
* 400, 413: nothing of the request was written. 422: a part was (field type conflict, retention). The lines are written
  again in halves until each has been in a request that was taken or is refused by itself. Writing a point twice is
  harmless, and parts go in order, so of two points with the same series and time the later one still wins.
* 408, 429, 5xx, timeouts, network: `Unavailable`, with the seconds of a Retry-After.
* anything else, such as 401, 403 and 404, but also a 200 of some other server: `Misconfigured`.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from influxdb_client import InfluxDBClient, WritePrecision, WriteService
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from connectors.errors import Misconfigured, Unavailable
from connectors.retry import retry_after
from connectors.settings import InfluxSettings
from connectors.sinks.until_answered import presentable

_TAKEN = 204
_LINES_REFUSED = {400, 413, 422}
_TRY_LATER = {0, 408, 429}  # 0: no answer at all
_SERVER_ERRORS = 500
# May count too few (one shard, one cause), never too many. At the end only: before it there may be a campaign's name.
_DROPPED = re.compile(r" dropped=(\d+)(?: for database: \S+ for retention policy: \S+)?\Z")
_LONGEST_WORDS = 2000
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


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    words: str = ""
    retry_after: str | None = None


class InfluxWriter:
    """Writes to one bucket. Each line must be one point with its timestamp in seconds."""

    def __init__(self, settings: InfluxSettings, *, now: Callable[[], float] = time.time) -> None:
        """Connect on the first write. `now` is in seconds since the epoch (for a Retry-After that is a date)."""
        self._settings = settings
        self._now = now
        self._client = InfluxDBClient(
            settings.url,
            settings.token.get_secret_value(),
            org=settings.org,
            timeout=settings.timeout * 1000,
            enable_gzip=True,
        )
        self._service = WriteService(self._client.api_client)

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
            words = await asyncio.to_thread(self._post, lines[part.start : part.stop])
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
        await asyncio.to_thread(self._client.close)

    def _post(self, lines: Sequence[str]) -> str | None:
        """Return None if InfluxDB took all `lines`, its words if it refused some or all. Blocks."""
        # The errors are raised out here because one raised in `except` leads a traceback with local variables to the
        # client's frames, where the token is.
        answer = self._ask("\n".join(lines).encode())
        if answer.status == _TAKEN:
            return None
        if answer.status in _LINES_REFUSED:
            return answer.words
        if answer.status in _TRY_LATER or answer.status >= _SERVER_ERRORS:
            what = f"answered {answer.status}" if answer.status else "did not answer"
            seconds = retry_after(answer.retry_after, self._now())
            raise Unavailable(f"InfluxDB {what}: {answer.words}", retry_after=seconds)
        org, bucket = self._settings.org, self._settings.bucket
        raise Misconfigured(
            f"InfluxDB answered {answer.status} to a write to bucket {bucket!r}, organisation {org!r}: {answer.words}. "
            + _ADVICE.get(answer.status, "Check that INFLUX_URL leads to an InfluxDB v2.")
        )

    def _ask(self, body: bytes) -> _Answer:
        try:
            _, status, _ = self._service.post_write_with_http_info(
                self._settings.org,
                self._settings.bucket,
                body,
                precision=WritePrecision.S,
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            # Without a status it is the client's wrapping of a TLS error, which says what happened in `reason`.
            words = error.message if error.status else error.reason
            return _Answer(error.status, self._presentable(words), error.retry_after)
        except (HTTPError, UnicodeDecodeError) as error:  # the client's transport, and its reading of an error page
            return _Answer(0, self._presentable(error))
        return _Answer(status)

    def _presentable(self, words: object) -> str:
        return presentable(str(words), self._settings.token, _LONGEST_WORDS)


def _dropped(words: str) -> int | None:
    found = _DROPPED.search(words)
    return int(found[1]) if found else None
