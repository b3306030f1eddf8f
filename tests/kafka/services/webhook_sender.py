"""A platform that calls the door at a steady rate and repeats what fails, and remembers what it was answered."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

SECRET = "a-secret-of-sixteen-or-more"
HEADERS = {"X-CXone-Webhook-Secret": SECRET, "Content-Type": "application/json"}
TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass
class Sent:
    """What became of each id."""

    attempts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)  # 0: no answer
    seconds: list[float] = field(default_factory=list)  # of 200s


async def send(url: str, *, rate: float, seconds: float, sent: Sent, patience: float = 180.0) -> None:
    """Send `rate` new ids a second for `seconds`, whatever the answers take; repeat each until it is accepted."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=TIMEOUT) as session:

        async def insist(number: int) -> None:
            name, began = f"i{number}", time.monotonic()
            body = b'{"id":"%s","channel":"voice"}' % name.encode()
            while time.monotonic() - began < patience:
                sent.attempts[name] += 1
                asked = time.monotonic()
                try:
                    async with session.post(url, data=body, headers=HEADERS) as answer:
                        await answer.read()
                        sent.statuses[answer.status] += 1
                        if answer.status == 200:
                            sent.accepted[name] += 1
                            sent.seconds.append(time.monotonic() - asked)
                            return
                except (aiohttp.ClientError, TimeoutError):
                    sent.statuses[0] += 1
                await asyncio.sleep(0.5)

        began = time.monotonic()
        async with asyncio.TaskGroup() as calls:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(began + number / rate - time.monotonic())
                calls.create_task(insist(number))
