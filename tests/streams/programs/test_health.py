"""What an orchestrator hears, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import ClientSession

from streams.programs.health import LONGEST_CONNECTION, MOST_CONNECTIONS, HealthServer


@dataclass
class Stage:
    """An app as far as probes look at it."""

    dead: str | None = None
    unready: str | None = None

    def why_not_alive(self) -> str | None:
        return self.dead

    def why_not_ready(self) -> str | None:
        return self.unready


@asynccontextmanager
async def served(*stages: Stage) -> AsyncIterator[ClientSession]:
    server = HealthServer(stages, "127.0.0.1", 0)
    address = await server.start()
    async with ClientSession(f"http://{address}") as session:
        yield session
    await server.stop()


async def ask(session: ClientSession, path: str) -> tuple[int, object]:
    async with session.get(path) as response:
        return response.status, await response.json()


async def test_a_worker_whose_stages_are_well_is_alive_and_ready() -> None:
    async with served(Stage(), Stage()) as session:
        assert await ask(session, "/livez") == (200, {"ok": True, "reasons": []})
        assert await ask(session, "/readyz") == (200, {"ok": True, "reasons": []})


async def test_one_stage_that_is_not_ready_makes_the_worker_unready_and_says_why() -> None:
    async with served(Stage(), Stage(unready="influx: no such bucket")) as session:
        assert await ask(session, "/readyz") == (503, {"ok": False, "reasons": ["influx: no such bucket"]})
        assert await ask(session, "/livez") == (200, {"ok": True, "reasons": []})


async def test_one_stage_that_is_dead_makes_the_worker_dead() -> None:
    async with served(Stage(dead="one"), Stage(dead="two")) as session:
        assert await ask(session, "/livez") == (503, {"ok": False, "reasons": ["one", "two"]})


async def test_answers_follow_the_stages() -> None:
    stage = Stage(unready="restoring")
    async with served(stage) as session:
        assert (await ask(session, "/readyz"))[0] == 503
        stage.unready = None
        assert (await ask(session, "/readyz"))[0] == 200


async def test_metrics_are_those_of_this_process_for_prometheus() -> None:
    async with served() as session, session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert "process_start_time_seconds" in await response.text()


async def test_metrics_are_told_by_name_to_whom_names_them() -> None:
    async with served() as session, session.get("/metrics", params={"name[]": "process_open_fds"}) as response:
        told = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
        assert [line.split()[0] for line in told] == ["process_open_fds"]


async def test_nothing_else_is_served() -> None:
    async with served(Stage()) as session:
        for path in ("/", "/table/", "/router/"):
            async with session.get(path) as response:
                assert response.status == 404


async def test_the_port_is_free_again_after_stopping() -> None:
    first = HealthServer([], "127.0.0.1", 0)
    address = await first.start()
    await first.stop()

    second = HealthServer([], "127.0.0.1", int(address.rsplit(":", 1)[1]))

    assert await second.start() == address
    await second.stop()


async def test_stopping_what_was_not_started_is_fine() -> None:
    await HealthServer([], "127.0.0.1", 0).stop()


async def half_sent(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /livez HT")
    await writer.drain()
    return reader, writer


async def ended(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    with suppress(ConnectionError):
        return await asyncio.wait_for(connection[0].read(10), 60) == b""
    return True


async def test_requests_that_are_never_sent_whole_use_up_nothing_and_keep_no_probe_out() -> None:
    server = HealthServer([Stage()], "127.0.0.1", 0)
    address = await server.start()
    connections = [await half_sent(address) for _ in range(MOST_CONNECTIONS + 20)]

    async with ClientSession(f"http://{address}") as session:
        assert (await ask(session, "/livez"))[0] == 200

    assert all([await ended(connection) for connection in connections[:20]])
    assert len(server._connections) == MOST_CONNECTIONS
    await server.stop()
    for _, writer in connections:
        writer.close()


async def test_an_answer_says_that_its_connection_ends() -> None:
    async with served(Stage()) as session:
        for path in ("/livez", "/readyz", "/metrics"):
            async with session.get(path) as response:
                assert response.headers["Connection"] == "close"


async def test_a_connection_does_not_last() -> None:
    server = HealthServer([Stage()], "127.0.0.1", 0)
    address = await server.start()
    connection = await half_sent(address)
    async with asyncio.timeout(60):
        while not server._connections:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
    (timer,) = server._connections.values()
    assert 9 < timer.when() - asyncio.get_running_loop().time() <= LONGEST_CONNECTION

    timer._run()

    assert await ended(connection)
    assert not server._connections
    await server.stop()
    connection[1].close()
