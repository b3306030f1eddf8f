"""The socket against real servers on loopback: it comes back, moves over, notices silence and tells no token."""

import asyncio
import base64
import logging
import time
from contextlib import suppress
from http import HTTPStatus

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from connectors.cxone.connection import Frame, Policy
from connectors.cxone.websocket import Opening, Socket
from connectors.errors import AuthorizationError
from tests.support.sockets import POLICY, Client, Tokens, cxone, greet, quiet, running, until


async def test_frames_come_in_order_as_the_bytes_they_were() -> None:
    async def serving(connection: ServerConnection) -> None:
        await connection.send("ä")
        await connection.send(b"\x00\xff")
        await connection.send(b"\xff not UTF-8", text=True)
        await connection.send(["in ", "pieces"])
        await connection.wait_closed()

    async with cxone(serving) as server, running(client := Client(server)):
        await until(lambda: len(client.frames) == 4)

    assert client.data == ["ä".encode(), b"\x00\xff", b"\xff not UTF-8", b"in pieces"]
    assert [frame.number for frame in client.frames] == [0, 1, 2, 3]
    assert {frame.connection_id for frame in client.frames} == {client.frames[0].connection_id}
    assert all(abs(frame.received_at - time.time() * 1000) < 60_000 for frame in client.frames)


@pytest.mark.parametrize(
    "written",
    [
        b"t0k/en+==",
        rb"t0k\/en+==",
        b"t0k%2Fen%2B%3D%3D",
        base64.b64encode(b'{"token":"t0k/en+=="}'),
        base64.urlsafe_b64encode(b"Bearer t0k/en+=="),
    ],
)
async def test_a_frame_that_repeats_the_token_is_counted_and_handed_to_nobody(written: bytes) -> None:
    async def serving(connection: ServerConnection) -> None:
        await connection.send(b'{"type":"session","text":"%b"}' % written, text=True)
        await connection.send("t0k, and no more of it")
        await connection.wait_closed()

    def withheld() -> float:
        return REGISTRY.get_sample_value("cxone_socket_withheld_total", {"connector": "test"}) or 0.0

    before = withheld()
    async with cxone(serving) as server, running(client := Client(server, tokens=Tokens(value="t0k/en+=="))):
        await until(lambda: client.frames)

    assert client.data == [b"t0k, and no more of it"]
    assert withheld() - before == 1


@pytest.mark.parametrize("place", ["query", "header", "first message"])
async def test_the_token_travels_where_the_opening_puts_it(place: str) -> None:
    async with cxone(quiet) as server:
        client = Client(server)
        client.opening = {
            "query": lambda token: Opening(f"{server.url}/?t={token.get_secret_value()}", messages=("hello",)),
            "header": lambda token: Opening(
                server.url, headers={"Authorization": f"Bearer {token.get_secret_value()}"}, messages=("hello",)
            ),
            "first message": lambda token: Opening(server.url, messages=(f"auth {token.get_secret_value()}", "hello")),
        }[place]
        async with running(client):
            await until(lambda: server.heard)

    (request,) = server.requests
    assert {
        "query": request.path == "/?t=token-1",
        "header": request.headers.get("Authorization") == "Bearer token-1",
        "first message": server.heard == ["auth token-1"],
    }[place]


async def test_a_socket_that_was_never_open_is_counted_as_closed() -> None:
    async def never(_frame: Frame) -> None: ...

    Socket("never", lambda _: Opening("ws://127.0.0.1:1"), Tokens(), never, POLICY, opened=lambda: None)

    for name in ("cxone_socket_open", "cxone_socket_opened_total", "cxone_socket_failed_total"):
        assert REGISTRY.get_sample_value(name, {"connector": "never"}) == 0


async def test_a_lost_connection_is_retried_for_ever_with_growing_jitter() -> None:
    async def serving(connection: ServerConnection) -> None:
        await connection.close(1011)

    async with cxone(serving) as server, running(client := Client(server)):
        await until(lambda: len(client.slept) >= 8)

    for waited, ceiling in zip(client.slept, [1, 2, 4, 8, 15, 15, 15, 15], strict=False):
        assert 0 < waited <= ceiling
    assert max(client.slept) > 2  # the chance that jitter alone keeps eight of them below is 1 in 50,000
    assert client.tokens.given == 1


async def test_delays_begin_anew_after_a_healthy_minute() -> None:
    async with cxone(quiet) as server:
        server.answers = [Response(HTTPStatus.BAD_GATEWAY, "", _headers({})) for _ in range(6)]
        async with running(client := Client(server)):
            await until(lambda: client.opened == 1)
            client.skipped = 61.0
            await server.connections[0].close()
            await until(lambda: client.opened == 2)

    assert len(client.slept) == 7
    assert client.slept[6] <= 1


async def test_an_unreachable_server_is_waited_for() -> None:
    async with cxone(greet) as server:
        pass  # it is gone: its port refuses

    async with running(client := Client(server)):
        await until(lambda: len(client.slept) >= 3)

        assert client.socket.why_not_ready() == "test: not connected"
        assert client.socket.why_not_alive() is None
    assert client.opened == 0


async def test_a_refused_handshake_waits_as_long_as_told() -> None:
    async with cxone(greet) as server:
        server.answers = [
            Response(HTTPStatus.TOO_MANY_REQUESTS, "", _headers({"Retry-After": "7"})),
            Response(HTTPStatus.SERVICE_UNAVAILABLE, "", _headers({"Retry-After": "soon"})),
        ]
        async with running(client := Client(server)):
            await until(lambda: client.opened)

            assert client.socket.why_not_ready() is None
    assert client.slept[0] == 7.0
    assert client.slept[1] <= 1
    assert client.tokens.given == 1


async def test_401_at_the_handshake_brings_a_new_token() -> None:
    async with cxone(greet) as server:
        server.answers = [Response(HTTPStatus.UNAUTHORIZED, "", _headers({}))]
        async with running(client := Client(server)):
            await until(lambda: client.opened)

    assert server.paths == ["/events?access_token=token-1", "/events?access_token=token-2"]
    assert client.tokens.refused_tokens == ["token-1"]
    assert len(client.slept) == 1


async def test_no_redirect_is_followed_with_the_token() -> None:
    async with cxone(greet) as elsewhere, cxone(greet) as server:
        server.answers = [
            Response(HTTPStatus.FOUND, "", _headers({"Location": f"{elsewhere.url}/?access_token=token-1"})),
            Response(HTTPStatus.FOUND, "", _headers({"Location": "not a URL"})),
        ]
        async with running(client := Client(server)):
            await until(lambda: client.opened)

    assert len(client.slept) == 2
    assert elsewhere.requests == []


async def test_refused_credentials_end_the_start() -> None:
    tokens = Tokens()
    tokens.trouble = [AuthorizationError("check the secret")]

    async with cxone(greet) as server:
        with pytest.raises(AuthorizationError, match="check the secret"):
            await Client(server, tokens=tokens).socket.run()


async def test_refused_credentials_are_retried_once_it_has_worked() -> None:
    async def serving(connection: ServerConnection) -> None:
        if client.opened == 1:
            client.tokens.trouble = [AuthorizationError("check the secret")]
            await connection.close()
        await quiet(connection)

    async with cxone(serving) as server, running(client := Client(server)):
        await until(lambda: client.opened == 2)

    assert len(client.slept) == 2  # the loss, the refusal


async def test_a_half_open_socket_is_noticed() -> None:
    policy = Policy(ping_interval=0.01, pong_timeout=1, max_frame_bytes=2**20)

    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 1:
            connection.transport.pause_reading()  # says nothing, reads nothing, closes nothing
        await quiet(connection)

    with capture_logs() as lines:
        async with cxone(serving) as server, running(client := Client(server, policy=policy)):
            await until(lambda: client.opened == 2)
            await asyncio.sleep(0.05)  # the healthy one passes some pings

            assert client.opened == 2
            server.connections[0].transport.resume_reading()

    assert "no answer to a ping for 1 s" in [line.get("reason") for line in lines]


async def test_a_slow_kafka_is_not_taken_for_a_silent_socket() -> None:
    policy = Policy(ping_interval=0.02, pong_timeout=1, max_frame_bytes=2**20)
    number = 20_000  # 20 MB: more than all buffers under way hold

    async def serving(connection: ServerConnection) -> None:
        for index in range(number):
            await connection.send(str(index) + " " * 1000)
        await quiet(connection)

    async with cxone(serving) as server:
        client = Client(server, policy=policy)
        client.room.clear()
        async with running(client):
            await until(lambda: client.opened)
            await asyncio.sleep(2 * policy.pong_timeout)

            assert client.frames == []
            client.room.set()
            async with asyncio.timeout(60):
                while len(client.frames) < number:  # noqa: ASYNC110 - the library hands them over
                    await asyncio.sleep(0.01)

    assert client.opened == 1
    assert [int(data) for data in client.data] == list(range(number))


async def test_reading_stops_while_nobody_takes_frames() -> None:
    sent = 0

    async def serving(connection: ServerConnection) -> None:
        nonlocal sent
        while True:
            await connection.send("x" * 10_000)
            sent += 1

    async with cxone(serving) as server:
        client = Client(server)
        client.room.clear()
        async with running(client):
            await until(lambda: sent)
            previous = -1
            while sent != previous:
                previous = sent
                await asyncio.sleep(0.05)

            assert sent < 5_000  # what the kernel's and the library's buffers hold, and no more
            client.room.set()


async def test_a_renewed_token_moves_the_socket_over_without_a_gap() -> None:
    live: set[ServerConnection] = set()
    fewest = 99
    number = 0

    async def serving(connection: ServerConnection) -> None:
        if live:
            await asyncio.sleep(0.02)  # a subscription takes its time
        live.add(connection)
        try:
            await connection.wait_closed()
        finally:
            live.discard(connection)

    async def feed() -> None:
        nonlocal fewest, number
        while True:
            fewest = min(fewest, len(live))
            for connection in live:
                with suppress(ConnectionClosed):
                    await connection.send(str(number))
            number += 1
            await asyncio.sleep(0.001)

    async with cxone(serving) as server:
        policy = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=2**20)
        client = Client(server, tokens=Tokens(0.1, 0.1), policy=policy)
        async with running(client):
            await until(lambda: live)
            feeding = asyncio.create_task(feed())
            await until(lambda: client.opened == 3 and len(live) == 1)
            feeding.cancel()
        numbers = {int(data) for data in client.data}

    assert fewest == 1
    assert numbers == set(range(max(numbers) + 1))
    assert len(client.frames) > len(numbers)  # some came on both: that is how none was missed
    assert server.paths == [f"/events?access_token=token-{n}" for n in (1, 2, 3)]
    assert [connection.close_code for connection in server.connections] == [1000, 1000, 1000]
    assert client.slept == []


async def test_a_successor_that_says_nothing_takes_over_after_the_overlap() -> None:
    async with cxone(quiet) as server, running(client := Client(server, tokens=Tokens(0.02))):
        await until(lambda: client.opened == 2)
        assert server.connections[0].close_code is None
        await until(lambda: server.connections[0].close_code == 1000)

        assert client.socket.why_not_ready() is None
        assert server.connections[1].close_code is None


async def test_the_old_connection_stays_until_a_successor_holds() -> None:
    async def serving(connection: ServerConnection) -> None:
        if len(server.connections) == 2:
            assert server.connections[0].close_code is None
            await connection.close(1013)
        await greet(connection)

    async with cxone(serving) as server, running(client := Client(server, tokens=Tokens(0.02))):
        await until(lambda: client.opened == 3)
        await until(lambda: server.connections[0].close_code == 1000)

    assert len(client.slept) == 1
    assert [connection.close_code for connection in server.connections] == [1000, 1013, 1000]


async def test_stopping_closes_with_1000_and_hands_over_what_had_arrived() -> None:
    sent = asyncio.Event()

    async def serving(connection: ServerConnection) -> None:
        for index in range(500):
            await connection.send(str(index))
        sent.set()
        await quiet(connection)

    async with cxone(serving) as server:
        client = Client(server)
        client.room.clear()
        async with running(client) as task:
            await until(lambda: sent.is_set() and client.opened)
            task.cancel()
            await asyncio.sleep(0.01)
            client.room.set()

    assert task.cancelled()
    assert [int(data) for data in client.data] == list(range(500))
    assert server.connections[0].close_code == 1000
    assert client.socket.why_not_ready() is not None


async def test_stopping_while_moving_over_closes_both() -> None:
    async with cxone(quiet) as server:
        client = Client(
            server, tokens=Tokens(0.02), policy=Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=1)
        )
        async with running(client):
            await until(lambda: client.opened == 2)

    assert [connection.close_code for connection in server.connections] == [1000, 1000]


async def test_stopping_before_there_is_a_connection() -> None:
    tokens = Tokens()
    never = asyncio.get_running_loop().create_future()
    tokens.token = lambda: never  # type: ignore[method-assign,assignment,return-value]

    async with cxone(quiet) as server, running(Client(server, tokens=tokens)) as task:
        await asyncio.sleep(0)

    assert task.cancelled()
    assert server.requests == []


async def test_a_frame_above_the_limit_costs_the_connection_not_the_memory() -> None:
    policy = Policy(ping_interval=20, pong_timeout=10, max_frame_bytes=1000)

    async def serving(connection: ServerConnection) -> None:
        await connection.send("x" * (1000 if len(server.connections) > 1 else 1001))
        await quiet(connection)

    with capture_logs() as lines:
        async with cxone(serving) as server, running(client := Client(server, policy=policy)):
            await until(lambda: client.frames)

    assert [len(data) for data in client.data] == [1000]
    assert server.connections[0].close_code == 1009
    assert any("1009" in str(line.get("reason")) for line in lines)


async def test_a_receiver_that_fails_ends_the_socket() -> None:
    async def broken(_: Frame) -> None:
        raise RuntimeError("bug")

    async with cxone(greet) as server:
        client = Client(server)
        socket = Socket("test", client.opening, client.tokens, broken, POLICY, opened=client.on_opened)
        with pytest.raises(RuntimeError, match="bug"):
            await socket.run()


async def test_the_token_is_never_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def serving(connection: ServerConnection) -> None:
        await connection.close(4001, "token-1 expired")

    with capture_logs() as lines:
        async with cxone(serving) as server:
            server.answers = [
                Response(HTTPStatus.FOUND, "", _headers({"Location": "http://127.0.0.1/?access_token=token-1"})),
                Response(HTTPStatus.FORBIDDEN, "token-1", _headers({})),
            ]
            async with running(client := Client(server)):
                await until(lambda: len(client.slept) >= 4)

    reasons = [line.get("reason") for line in lines]
    assert "the handshake was answered with 302" in reasons
    assert "the handshake was answered with 403" in reasons
    assert any("4001" in str(reason) and "*** expired" in str(reason) for reason in reasons)
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")
    assert "token-1" not in f"{lines}{ours}{client.opening(SecretStr('token-1'))!r}"


def _headers(values: dict[str, str]) -> Headers:
    return Headers({"Content-Length": "0", **values})
