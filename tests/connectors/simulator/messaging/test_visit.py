"""The crowd against the simulator."""

import asyncio
import json
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from connectors.simulator.messaging.crowd import Plan, messages
from connectors.simulator.messaging.visit import Sent, visit
from tests.support.endpoints import open_doors

CROWD = Plan(count=20, rate=50, bots=2, seconds=20)
EVERYTHING_IS_DUE = 3600.0


def later() -> Iterator[float]:
    """Tell the start, and from then on a time when everybody is late."""
    return chain([0.0], repeat(EVERYTHING_IS_DUE))


async def test_every_guest_writes_what_the_plan_says() -> None:
    sent, times = Sent(), later()
    async with open_doors() as doors:
        await visit(doors.addresses.guests_url, CROWD, sent, asyncio.Event(), clock=lambda: next(times))
        async with doors.connector() as ws, asyncio.timeout(60):
            arrived: set[tuple[str, str]] = set()
            while len(arrived) < sent.people + sent.bots:
                frame = json.loads(await ws.recv())
                if frame.get("direction") == "inbound" and frame["type"] == "message":
                    arrived.add((frame["conversationId"], frame["text"]))

    written = [json.loads(body) for number in range(CROWD.count) for _, body in messages(CROWD, number)]
    assert arrived == {(each["conversationId"], each["text"]) for each in written}
    assert sent.bots == sum(len(list(messages(CROWD, number))) for number in range(CROWD.bots))
    assert sent.cut_off == 0


async def test_stops_when_it_is_told_to() -> None:
    sent, stop = Sent(), asyncio.Event()
    stop.set()
    async with open_doors() as doors, asyncio.timeout(60):
        await visit(doors.addresses.guests_url, CROWD, sent, stop, clock=lambda: 0.0)

    assert sent == Sent()


async def test_guests_who_are_cut_off_are_counted() -> None:
    sent, stop = Sent(), asyncio.Event()
    async with asyncio.timeout(60):
        async with open_doors() as doors:
            crowd = Plan(count=3, rate=1e4, seconds=60)
            visiting = asyncio.create_task(visit(doors.addresses.guests_url, crowd, sent, stop))
            while not sent.people:  # noqa: ASYNC110 - counted by the task
                await asyncio.sleep(0.001)
        await visiting

    assert sent.cut_off == 3


async def test_without_a_simulator_nobody_can_enter() -> None:
    async with open_doors() as doors:
        url = doors.addresses.guests_url

    with pytest.raises(OSError, match="Connect call failed"):
        await visit(url, CROWD, Sent(), asyncio.Event())


async def test_guests_enter_whatever_the_environment_says_of_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sent, times = Sent(), later()

    async with open_doors() as doors:
        await visit(doors.addresses.guests_url, CROWD, sent, asyncio.Event(), clock=lambda: next(times))

    assert sent.people > 0
