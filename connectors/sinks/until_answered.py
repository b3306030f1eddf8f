"""Writing to a system that may be away: for as long as it takes, and saying why."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from pydantic import SecretStr

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


def presentable(words: str, secret: SecretStr | None, longest: int) -> str:
    """Return a sink's `words`, `secret` hidden and of more than `longest` characters the middle cut out.

    A proxy may make them long and echo what it was sent; the reason is often at the end.
    """
    if secret:
        words = words.replace(secret.get_secret_value(), "***")
    half = longest // 2
    return words if len(words) <= longest else f"{words[:half]} ... {words[-half:]}"
