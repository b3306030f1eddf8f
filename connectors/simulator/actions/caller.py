"""Calls a door as CXone does: at its own pace, and again, twice, when a call failed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

from connectors.simulator.actions.bodies import Call

SECRET = "X-CXone-Webhook-Secret"  # noqa: S105 - the name of a header
REPEATS = 2
TIMEOUT = 30.0  # seconds; CXone waits for up to 90
MOST_UNDER_WAY = 2000
NO_ANSWER = 0  # in place of a status


@dataclass(slots=True)
class Sent:
    """What was sent, and what came of it. `seconds` has those of the accepted calls; `statuses` are of attempts."""

    calls: int = 0
    accepted: int = 0
    refused: int = 0
    given_up: int = 0
    repeated: int = 0
    redelivered: int = 0  # accepted, and accepted again
    late: int = 0  # left out, because too many were under way
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share of the accepted calls was answered; 0 when there are none."""
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def nobody(_call: Call, _status: int, _seconds: float) -> None:
    """Tell nobody."""


async def call(  # noqa: PLR0913 - what is called, how often and until when
    url: str,
    secret: str,
    calls: Iterator[Call],
    sent: Sent,
    *,
    rate: float,
    until: Callable[[], bool],
    pause: float = 1.0,
    settled: Callable[[Call, int, float], None] = nobody,
) -> None:
    """Call the door at `url` `rate` times a second until `until()`; wait for what is under way.

    A call that got no answer, or 5xx, is repeated twice, `pause` seconds apart (or Retry-After, up to ten times that).
    `settled` is told the last status of each call, 0 without an answer, and what that attempt took in seconds.
    """
    loop = asyncio.get_running_loop()
    timeout, connector = aiohttp.ClientTimeout(total=TIMEOUT), aiohttp.TCPConnector(limit=0)
    headers = {SECRET: secret, "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
        asyncio.TaskGroup() as under_way,
    ):
        began, number, open_calls = loop.time(), 0, 0

        def done(_: object) -> None:
            nonlocal open_calls
            open_calls -= 1

        while not until():
            number += 1
            await asyncio.sleep(began + number / rate - loop.time())
            if open_calls >= MOST_UNDER_WAY:
                sent.late += 1
                continue
            sent.calls += 1
            open_calls += 1
            under_way.create_task(
                _insist(session, url, next(calls), sent, pause=pause, settled=settled)
            ).add_done_callback(done)


async def _insist(  # noqa: PLR0913 - as `call`
    session: aiohttp.ClientSession,
    url: str,
    each: Call,
    sent: Sent,
    *,
    pause: float,
    settled: Callable[[Call, int, float], None],
) -> None:
    status, seconds = await _until_answered(session, url, each, sent, pause)
    if status == HTTPStatus.OK:
        sent.accepted += 1
        sent.seconds.append(seconds)
        if each.again:
            again, _ = await _until_answered(session, url, each, sent, pause)
            sent.redelivered += again == HTTPStatus.OK
    elif NO_ANSWER < status < HTTPStatus.INTERNAL_SERVER_ERROR:
        sent.refused += 1
    else:
        sent.given_up += 1
    settled(each, status, seconds)


async def _until_answered(
    session: aiohttp.ClientSession, url: str, each: Call, sent: Sent, pause: float
) -> tuple[int, float]:
    """Return status and seconds of the attempt that was answered with something else than 5xx, or of the last."""
    loop = asyncio.get_running_loop()
    status, seconds = NO_ANSWER, 0.0
    for attempt in range(REPEATS + 1):
        asked, wait = loop.time(), pause
        sent.repeated += attempt > 0
        try:
            async with session.post(url + each.path, data=each.body) as answer:
                await answer.read()
                status = answer.status
                wait = min(max(pause, float(answer.headers.get("Retry-After", 0))), 10 * pause)
        except (aiohttp.ClientError, TimeoutError):
            status = NO_ANSWER
        seconds = loop.time() - asked
        sent.statuses[status] += 1
        if NO_ANSWER < status < HTTPStatus.INTERNAL_SERVER_ERROR:
            break
        if attempt < REPEATS:
            await asyncio.sleep(wait)
    return status, seconds
