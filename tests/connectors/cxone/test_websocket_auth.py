"""A token that is sent as a message: its acceptance is awaited, its refusal brings a new one at once, but only once."""

import asyncio
from typing import Literal

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Response

from connectors.cxone.connection import Answer, Auth, Policy
from connectors.cxone.websocket import Opening
from tests.support.sockets import Client, Cxone, Tokens, cxone, quiet, running, until

ANSWERS = {b"welcome": Answer.ACCEPTED, b"go away": Answer.REFUSED}
AUTH = Auth(ANSWERS.get, {4401})
POLICY = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=2**20, overlap=0.05, close_timeout=0.1)

How = Literal["frame", "close code"]
HOW = pytest.mark.parametrize("how", ["frame", "close code"])


def client_of(server: Cxone, *, tokens: Tokens | None = None, policy: Policy = POLICY) -> Client:
    client = Client(server, tokens=tokens, policy=policy)
    client.opening = lambda token: Opening(server.url, messages=(token.get_secret_value(),), auth=AUTH)
    return client


async def refuse(connection: ServerConnection, how: How) -> None:
    if how == "frame":
        await connection.send("go away")
    else:
        await connection.close(4401, "token ended")


async def accept(connection: ServerConnection) -> None:
    await connection.send("welcome")
    await connection.send("hello")
    await quiet(connection)


async def test_the_token_s_acceptance_makes_it_ready_and_is_not_handed_on() -> None:
    accepting = asyncio.Event()

    async def serving(connection: ServerConnection) -> None:
        await accepting.wait()
        await accept(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: server.heard)
        await asyncio.sleep(0.01)
        assert client.socket.why_not_ready() == "test: not connected"
        assert client.opened == 0
        accepting.set()
        await until(lambda: client.opened and client.frames)

        assert client.socket.why_not_ready() is None
    assert server.heard == ["token-1"]
    assert client.data == [b"hello"]
    assert client.frames[0].number == 1  # the second on this connection
    assert client.opened == 1


async def test_a_cxone_that_does_not_answer_is_taken_at_its_silence() -> None:
    policy = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=2**20, open_timeout=0.1)

    async with cxone(quiet) as server, running(client := client_of(server, policy=policy)):
        await until(lambda: client.opened)

        assert client.socket.why_not_ready() is None


async def test_a_frame_says_as_much_as_an_answer() -> None:
    async def serving(connection: ServerConnection) -> None:
        await connection.send("hello")
        await quiet(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: client.opened)

    assert client.data == [b"hello"]


@HOW
async def test_a_refused_token_is_replaced_at_once(how: How) -> None:
    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 1:
            await refuse(connection, how)
        await accept(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: client.opened and client.frames)

    assert server.heard == ["token-1", "token-2"]
    assert client.tokens.refused_tokens == ["token-1"]
    assert client.slept == [0]
    assert client.opened == 1
    assert client.data == [b"hello"]


@HOW
async def test_tokens_that_are_refused_again_are_replaced_with_growing_jitter(how: How) -> None:
    async def serving(connection: ServerConnection) -> None:
        await refuse(connection, how)
        await quiet(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: len(client.slept) >= 7)

        assert client.socket.why_not_ready() == "test: not connected"
    assert client.slept[0] == 0
    for waited, ceiling in zip(client.slept[1:], [1, 2, 4, 8, 15, 15], strict=False):
        assert 0 < waited <= ceiling
    assert server.heard[:7] == [f"token-{n}" for n in range(1, 8)]
    assert client.opened == 0


async def test_a_refusal_after_a_healthy_minute_is_a_first_one_again() -> None:
    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 1:
            await refuse(connection, "frame")
        await accept(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: client.opened == 1)
        client.skipped = 61.0
        await refuse(server.connections[1], "close code")
        await until(lambda: client.opened == 2)
        await refuse(server.connections[2], "close code")
        await until(lambda: client.opened == 3)

    assert client.slept[:2] == [0, 0]
    assert 0 < client.slept[2] <= 1
    assert server.heard == ["token-1", "token-2", "token-3", "token-4"]


async def test_other_close_codes_say_nothing_of_the_token() -> None:
    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 1:
            await connection.close(1011)
        await accept(connection)

    async with cxone(serving) as server, running(client := client_of(server)):
        await until(lambda: client.frames)

    assert server.heard == ["token-1", "token-1"]
    assert client.tokens.refused_tokens == []
    assert 0 < client.slept[0] <= 1


async def test_the_old_connection_stays_while_a_successor_s_token_is_refused() -> None:
    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 2:
            assert server.connections[0].close_code is None
            await refuse(connection, "frame")
        await accept(connection)

    async with cxone(serving) as server, running(client := client_of(server, tokens=Tokens(0.05))):
        await until(lambda: client.opened == 2)
        await until(lambda: server.connections[0].close_code == 1000)

        assert client.socket.why_not_ready() is None
    assert client.tokens.refused_tokens == ["token-2"]
    assert server.heard == ["token-1", "token-2", "token-3"]


async def test_stopping_while_the_answer_is_awaited_closes_the_connection() -> None:
    async with cxone(quiet) as server:
        async with running(client := client_of(server)):
            await until(lambda: server.heard)
        await until(lambda: server.connections[0].close_code is not None)

    assert server.connections[0].close_code == 1000
    assert client.opened == 0


async def test_a_refusal_that_repeats_the_token_does_not_tell_it() -> None:
    async def serving(connection: ServerConnection) -> None:
        await connection.close(4401, "token-1 ended")

    with capture_logs() as lines:
        async with cxone(serving) as server, running(client := client_of(server)):
            await until(lambda: client.slept)

    reason = str(lines[0]["reason"])
    assert "4401" in reason
    assert "*** ended" in reason


async def test_what_is_refused_may_be_something_else_than_the_token() -> None:
    told: list[str] = []
    auth = Auth(ANSWERS.get, set(), of="the subscription", refused=lambda: told.append("refused"))

    async def serving(connection: ServerConnection) -> None:
        if len(told) == 0:
            await connection.send("go away")
            await connection.wait_closed()
        else:
            await accept(connection)

    async with cxone(serving) as server:
        client = Client(server, policy=POLICY)
        client.opening = lambda token: Opening(server.url, messages=("hello",), auth=auth)
        with capture_logs() as logs:
            async with running(client):
                await until(lambda: client.opened)

    assert told == ["refused"]
    assert client.tokens.refused_tokens == []
    assert client.slept == [0]
    assert logs[0]["reason"] == "CXone refused the subscription"


async def test_a_socket_stays_ready_for_as_many_failures_as_its_policy_bears() -> None:
    policy = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=2**20, close_timeout=0.1, red_after=3)
    readiness: list[str | None] = []

    class Watched(Client):
        async def sleep(self, seconds: float) -> None:
            readiness.append(self.socket.why_not_ready())
            await super().sleep(seconds)

    async def serving(connection: ServerConnection) -> None:
        await accept(connection)

    async with cxone(serving) as server:
        client = Watched(server, policy=policy)
        async with running(client):
            await until(lambda: client.opened)
            server.answers = [Response(503, "away", Headers()) for _ in range(4)]
            await server.connections[0].close()
            await until(lambda: client.opened == 2)

    assert readiness == [None, None, *["test: not connected"] * 3]
