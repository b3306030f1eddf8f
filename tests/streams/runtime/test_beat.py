"""Timers that wake together."""

import asyncio

from streams.runtime.beat import beat
from tests.support.virtual_time import run


def test_who_began_apart_wakes_together_and_never_after_less_than_half_the_time() -> None:
    async def main() -> None:
        loop, woken = asyncio.get_running_loop(), list[float]()

        async def beating(begins: float) -> None:
            await asyncio.sleep(begins)
            for _ in range(2):
                await beat(1.0)
                woken.append(loop.time())

        await asyncio.gather(beating(10.25), beating(10.4), beating(10.75))

        assert sorted(woken) == [11, 11, 12, 12, 12, 13]

    run(main())
