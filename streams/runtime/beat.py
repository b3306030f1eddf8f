"""Timers that wake together: a process with eighteen stages wakes once for all of them, and not eighteen times."""

import asyncio


async def beat(seconds: float) -> None:
    """Sleep until the loop's clock stands at a multiple of `seconds`, for half of them at least."""
    left = seconds - asyncio.get_running_loop().time() % seconds
    await asyncio.sleep(left if left >= seconds / 2 else left + seconds)
