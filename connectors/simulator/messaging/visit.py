"""The crowd on real sockets: one per guest, against the simulator's door for guests."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from connectors.simulator.messaging.crowd import Plan, is_bot, messages

_OPENING_AT_ONCE = 50


@dataclass(slots=True)
class Sent:
    """Messages sent so far by kind of guest, and guests whose socket was closed on them."""

    people: int = 0
    bots: int = 0
    cut_off: int = 0


async def visit(
    url: str, plan: Plan, sent: Sent, stop: asyncio.Event, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Let every guest write until the plan's end or `stop`, counting into `sent`; begin when all sockets are open.

    Raises OSError or websockets' InvalidHandshake when a socket cannot be opened.
    """
    async with _sockets(url, plan.count) as sockets:
        started = clock()
        writing = [
            asyncio.create_task(_write(socket, plan, number, sent, started, clock))
            for number, socket in enumerate(sockets)
        ]
        stopping = asyncio.create_task(_cancel(writing, stop))
        try:
            await asyncio.wait(writing)
        finally:
            for task in (stopping, *writing):
                task.cancel()
        for task in writing:
            if not task.cancelled():
                task.result()


async def _cancel(tasks: Iterable[asyncio.Task[None]], when: asyncio.Event) -> None:
    await when.wait()
    for task in tasks:
        task.cancel()


async def _write(  # noqa: PLR0913, PLR0917 - of one guest, once
    socket: ClientConnection, plan: Plan, number: int, sent: Sent, started: float, clock: Callable[[], float]
) -> None:
    bot = is_bot(plan, number)
    for due, body in messages(plan, number):
        if (wait := started + due - clock()) > 0:
            await asyncio.sleep(wait)
        try:
            await socket.send(body.decode())
        except ConnectionClosed:
            sent.cut_off += 1
            return
        if bot:
            sent.bots += 1
        else:
            sent.people += 1


@asynccontextmanager
async def _sockets(url: str, number: int) -> AsyncIterator[list[ClientConnection]]:
    gate = asyncio.Semaphore(_OPENING_AT_ONCE)
    opened: list[ClientConnection] = []

    async def open_one() -> None:
        async with gate:
            # The stand-in is on this machine, whatever the environment says of proxies.
            opened.append(await connect(url, compression=None, ping_interval=None, close_timeout=1, proxy=None))

    opening = [asyncio.create_task(open_one()) for _ in range(number)]
    try:
        await asyncio.gather(*opening)
        yield opened
    finally:
        for task in opening:
            task.cancel()
        await asyncio.wait(opening)
        await asyncio.gather(*(socket.close() for socket in opened))
