"""CXone calls at its own pace and repeats what failed, twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import StringIO
from itertools import islice, repeat

import orjson
import pytest
from aiohttp import web

from connectors.simulator.actions.bodies import DASHBOARD, DATA_ACTION, Call, Plan, calls
from connectors.simulator.actions.caller import SECRET, Sent, call
from connectors.simulator.actions.ledger import CallLedger

Answer = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def door(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def called(statuses: list[int], number: int) -> tuple[Sent, list[web.Request]]:
    """Call so many times; the attempts are answered with `statuses`, then with 200."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        await request.read()
        status = statuses.pop(0) if statuses else 200
        return web.Response(status=status, headers={"Retry-After": "0"} if status == 503 else {})

    sent = Sent()
    async with door(answer) as url:
        await call(
            url,
            "a-secret",
            repeat(Call(DATA_ACTION, b"{}", usable=True)),
            sent,
            rate=1000,
            until=lambda: sent.calls == number,
            pause=0,
        )
    return sent, seen


async def test_each_call_shows_the_secret_and_counts() -> None:
    sent, seen = await called([], 5)

    assert (sent.calls, sent.accepted, sent.repeated, len(seen)) == (5, 5, 0, 5)
    assert {(request.headers[SECRET], request.headers["Content-Type"]) for request in seen} == {
        ("a-secret", "application/json")
    }
    assert 0 < sent.percentile(0.5) <= sent.percentile(0.99)


@pytest.mark.parametrize(
    ("statuses", "accepted", "refused", "given_up", "attempts"),
    [
        ([503], 1, 0, 0, 2),
        ([503, 500], 1, 0, 0, 3),
        ([503, 503, 503], 0, 0, 1, 3),
        ([400], 0, 1, 0, 1),
        ([503, 401], 0, 1, 0, 2),
    ],
)
async def test_a_failed_call_is_repeated_twice_and_a_refused_one_not(
    statuses: list[int], accepted: int, refused: int, given_up: int, attempts: int
) -> None:
    sent, _ = await called(statuses, 1)

    assert (sent.accepted, sent.refused, sent.given_up) == (accepted, refused, given_up)
    assert sum(sent.statuses.values()) == attempts == sent.repeated + 1


async def test_who_does_not_answer_is_called_three_times() -> None:
    sent = Sent()
    await call(
        "http://127.0.0.1:9",
        "a-secret",
        repeat(Call(DATA_ACTION, b"{}", usable=True)),
        sent,
        rate=1000,
        until=lambda: sent.calls == 1,
        pause=0,
    )

    assert (sent.given_up, sent.statuses) == (1, {0: 3})


async def test_a_call_that_comes_again_was_accepted_before_and_each_is_told_once() -> None:
    seen, told, sent = list[bytes](), list[tuple[bytes, int]](), Sent()

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response(status=400 if seen[-1] == b"{" else 200)

    def settled(each: Call, status: int, _seconds: float) -> None:
        told.append((each.body, status))

    each = [Call(DATA_ACTION, b"{}", usable=True, again=True), Call(DATA_ACTION, b"{", usable=False, again=True)]
    async with door(answer) as url:
        await call(
            url, "a-secret", iter(each), sent, rate=1000, until=lambda: sent.calls == 2, pause=0, settled=settled
        )

    assert (sent.accepted, sent.refused, sent.redelivered) == (1, 1, 1)
    assert sorted(seen) == [b"{", b"{}", b"{}"]
    assert sorted(told) == [(b"{", 400), (b"{}", 200)]


def test_the_ledger_has_a_line_for_each_call() -> None:
    file = StringIO()
    CallLedger(file).settled(Call(DATA_ACTION, b'{"id":"i-1"}', usable=True), 200, 0.0042)

    assert orjson.loads(file.getvalue()) == {
        "path": DATA_ACTION,
        "body": '{"id":"i-1"}',
        "usable": True,
        "again": False,
        "status": 200,
        "seconds": 0.0042,
    }
    assert file.getvalue().endswith("\n")


def test_nothing_accepted_took_no_time() -> None:
    assert Sent().percentile(0.5) == 0


def test_the_same_seed_gives_the_same_calls_with_the_shares_that_were_asked_for() -> None:
    plan = Plan(dashboards=0.2, malformed=0.1, redelivered=0.3, seed=7)
    first = list(islice(calls(plan, "run"), 2000))

    assert first == list(islice(calls(plan, "run"), 2000))
    usable = [each for each in first if each.usable]
    ids = [orjson.loads(each.body)["id"] for each in usable if each.path == DATA_ACTION]
    assert len(set(ids)) == len(ids)
    assert 1700 < len(usable) < 1900
    assert 450 < sum(each.again for each in usable) < 650
    assert 250 < sum(each.path == DASHBOARD for each in first) < 450
