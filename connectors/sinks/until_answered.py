"""Writing to a system that may be away: for as long as it takes, and saying why."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from connectors.errors import Misconfigured, Unavailable

AnswerT = TypeVar("AnswerT")


async def until_answered(
    call: Callable[[], Awaitable[AnswerT]],
    *,
    delays: Iterator[float],
    sleep: Callable[[float], Awaitable[object]],
    on_state: Callable[[str], object],
) -> AnswerT:
    """Return what `call` returns, trying again for as long as the sink is away or misconfigured.

    `delays` are seconds and must not end (`connectors.retry.delays`); a longer Retry-After goes before them. After
    every try `on_state` is told "ok", or "unavailable: " or "misconfigured: " and why, for the readiness endpoint.
    Ends early only by what `sleep` raises, or by being cancelled; nothing may be acknowledged then.
    """
    while True:
        wait = next(delays)
        try:
            answer = await call()
        except Unavailable as error:
            on_state(f"unavailable: {error}")
            wait = max(wait, error.retry_after or 0)
        except Misconfigured as error:
            on_state(f"misconfigured: {error}")
        else:
            on_state("ok")
            return answer
        await sleep(wait)
