r"""CampaignHour -> one line of InfluxDB line protocol (timestamps in seconds: write it with precision `s`).

The official client's `Point` is right for ordinary campaign ids and is what the tests compare with, but it is not used:

* it drops NaN and infinite fields, and a point whose fields are all dropped becomes an *empty line* in the batch;
* it drops an empty tag, writes a line feed, a carriage return and a tab as the two characters `\n`, `\r` and `\t`, and
  appends a space to a trailing backslash: two campaigns become one series;
* it leaves a backslash before an escaped separator. influxd splits the body into lines by one rule (`\\` is a pair)
  and a line into tags by another (it is not), so the id `\ \="` swallows the lines after it (seen on 2.7.12).
"""

import math
import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from schemas.records import CampaignHour

MEASUREMENT = "cxone_metrics"

_EMPTY = "%"  # no text encodes to a bare percent sign
_NOT_CARRIED = re.compile(r"[%\x00-\x1f\x7f\ud800-\udfff]|\\(?=[ ,=]|\Z)")
_SEPARATORS = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})
_EARLIEST, _LATEST = -9_223_372_036, 9_223_372_036  # what influxd keeps: nanoseconds in 64 bits


def campaign_tag(campaign_id: str) -> str:
    r"""Return the value of the tag `campaign_id`: the id itself, save for what line protocol cannot carry.

    That is percent-encoded as in URLs (UTF-8): ASCII control characters (a line feed ends the point, a carriage return
    is lost in Flux's answers), a backslash at the end or before a comma, space or equals sign, lone surrogates, and the
    percent sign itself so that the encoding is reversible. An empty id becomes `%`. Different ids give different tags.
    """
    if not campaign_id:
        return _EMPTY
    return _NOT_CARRIED.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), campaign_id)


def campaign_id(tag: str) -> str:
    """Return the id that `campaign_tag` made `tag` of."""
    return "" if tag == _EMPTY else unquote(tag, errors="surrogatepass")


def line(row: CampaignHour) -> str:
    """Return the point of `row`, without a line feed; writing it again replaces it (same series, same timestamp).

    Fields: `hour_bucket` (text, the hour's start as `2026-11-21T09:00:00Z`), `count` (integer), and the percentiles of
    handle and wait time in seconds (floats). Raises ValueError for what InfluxDB has no notation for: a percentile that
    is not a finite number, an hour outside the years 1677 to 2262.
    """
    percentiles = (row.handle.p50, row.handle.p90, row.handle.p95, row.wait.p50, row.wait.p90, row.wait.p95)
    if not all(map(math.isfinite, percentiles)):
        raise ValueError(f"InfluxDB keeps finite numbers only; the percentiles of this hour are {percentiles}")
    seconds = row.hour_start // 1000
    if not _EARLIEST <= seconds <= _LATEST:
        raise ValueError(f"InfluxDB keeps the years 1677 to 2262 only; this hour starts {seconds} s after 1970")
    p50_handle, p90_handle, p95_handle, p50_wait, p90_wait, p95_wait = percentiles
    hour = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    return (
        f"{MEASUREMENT},campaign_id={campaign_tag(row.campaign_id).translate(_SEPARATORS)}"
        f' hour_bucket="{hour}Z",count={row.count}i'
        f",p50_handle={p50_handle!r},p90_handle={p90_handle!r},p95_handle={p95_handle!r}"
        f",p50_wait={p50_wait!r},p90_wait={p90_wait!r},p95_wait={p95_wait!r} {seconds}"
    )
