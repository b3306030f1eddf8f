"""What runs: the whole system, its sockets twice, peers before the stand-ins, and those who work honestly."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import httpx

import streams
from connectors.cxone import dialect
from connectors.kafka.embedded import EmbeddedBroker
from connectors.simulator.analytics import traffic as analytics
from connectors.simulator.cxone.tokens import CxoneAccount
from connectors.simulator.faults import Faults
from connectors.simulator.influx.endpoints import InfluxAccount
from connectors.simulator.interactions import traffic
from connectors.simulator.server import Addresses, Simulation, serve
from streams.core.audit.heads import new_key
from streams.demo.processes import Child
from streams.demo.watch import Watch
from tests.attack.commands import Commands
from tests.attack.peer import Peer
from tests.attack.ways import HOST

RATE = 50.0  # interactions a second, which nobody attacks
EVENTS, MESSAGES, CALLS = 5.0, 5.0, 5.0  # of analytics, of guests, and of the door by somebody who knows its secret
MOST_CALLS = 50  # under way at a time
READY, STOPPED = 120.0, 30.0  # seconds
TOKENS_LAST = 60  # seconds, so that token servers are asked again and again
WAVE = 240.0  # seconds of analytics, in which alerts come and go

WORKER, DOOR = "worker", "connector-webhooks"
CONNECTORS = ("interactions", "messaging", "analytics")
ATTACKED = {f"attacked-{name}": f"{name} socket" for name in CONNECTORS}  # process -> client


@dataclass
class System:
    """What runs. `addresses` are those of the probes, which the door of the webhooks has on its own port."""

    bootstrap: str
    secrets: dict[str, str]
    commands: Commands
    peers: list[Peer]
    children: dict[str, Child] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)  # of the door to honest callers

    def tokens(self) -> list[bytes]:
        """Return what the peers were shown."""
        return [token for peer in self.peers for token in peer.tokens.copy()]

    def excused(self, process: str, since: float) -> bool:
        """Whether a process may have thought since then that its socket is open."""
        client = ATTACKED.get(process)
        return client is not None and any(peer.may_stand(client, since) for peer in self.peers)


@asynccontextmanager
async def running(folder: Path, random: Random) -> AsyncIterator[System]:
    """Run it all while the context lasts. Raises ChildError when a part does not start, or does not stop cleanly."""
    names = ("client", "influx", "crm", "model", "alerts", "door", "registry")
    secrets = {name: token_hex(20) for name in names}
    simulation = Simulation(
        plan=traffic.Plan(rate=RATE, speedup=1.0, history=0.0),
        analytics=analytics.Plan(rate=EVENTS, wave=WAVE),
        cxone=CxoneAccount(client_secret=secrets["client"]),
        influx=InfluxAccount(token=secrets["influx"]),
        faults=Faults(expires_in=TOKENS_LAST),
    )
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(closing(EmbeddedBroker()))
        stack.enter_context(closing(Watch(broker.bootstrap_servers)))  # makes the topics
        direct = await stack.enter_async_context(serve(simulation))
        cxone, influx, registry = [
            await _peer(stack, port, random) for port in (_port(direct.ws_url), _port(direct.influx_url), 0)
        ]
        places = _behind(direct, cxone.port, influx.port)
        common = _common(broker.bootstrap_servers, folder, secrets)
        healthy = {**common, **_settings(places, folder, secrets), **_sockets(direct)}
        attacked = {**healthy, **_sockets(places), "CXONE_DIALECT": str(_dialect(folder))}
        commands = Commands(healthy, {"SCHEMA_REGISTRY_URL": f"http://{HOST}:{registry.port}"}, folder)
        system = System(broker.bootstrap_servers, secrets, commands, peers=[cxone, influx, registry])

        async def start(name: str, environment: dict[str, str], *arguments: str) -> None:
            child = await Child.start(name, arguments, environment, folder)
            stack.push_async_callback(child.stop, STOPPED)
            system.children[name] = child
            if arguments[0] != "guests":
                system.addresses[name] = (await child.ready(READY))["http"]

        # What the worker calls is hostile; where the door's messages come from, and the sockets of these, is not.
        await start(WORKER, {**healthy, **_tokens(places)}, "worker", "all")
        for name in (*CONNECTORS, "webhooks"):
            await start(f"connector-{name}", healthy, "connect", name)
        for name in CONNECTORS:
            await start(f"attacked-{name}", attacked, "connect", name)
        url = f"--url={direct.guests_url}"
        await start("guests", healthy, "guests", url, f"--rate={MESSAGES}", "--bots=0", "--seconds=1e9")
        door = f"http://{system.addresses[DOOR]}/webhook/cxone-data-action"
        for work in (_honest(door, secrets["door"], system.answers), system.commands.give()):
            task = asyncio.create_task(work)
            stack.push_async_callback(_ended, task)
        yield system


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _peer(stack: AsyncExitStack, upstream: int, random: Random) -> Peer:
    peer = Peer(upstream, Random(random.random()))
    await peer.start()
    stack.push_async_callback(peer.close)
    return peer


async def _honest(url: str, secret: str, answers: Counter[str]) -> None:
    """Call the door as CXone does, so often a second, whatever it answers and however long that takes."""
    headers, due = {"X-CXone-Webhook-Secret": secret}, time.monotonic()
    idle = httpx.Limits(keepalive_expiry=1.0)  # the door ends connections that are idle for longer
    async with httpx.AsyncClient(timeout=20, trust_env=False, limits=idle) as http, asyncio.TaskGroup() as calls:
        room = asyncio.Semaphore(MOST_CALLS)

        async def call() -> None:
            try:
                body = {"id": token_hex(8), "channel": "voice"}
                answers[str((await http.post(url, json=body, headers=headers)).status_code)] += 1
            except httpx.HTTPError as failure:
                answers[type(failure).__name__] += 1
            finally:
                room.release()

        while True:
            await room.acquire()
            calls.create_task(call())
            due += 1 / CALLS
            await asyncio.sleep(max(due - time.monotonic(), 0.0))


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _behind(direct: Addresses, cxone: int, influx: int) -> Addresses:
    """Return the addresses with the peers' ports."""

    def at(url: str, port: int) -> str:
        return urlunsplit(urlsplit(url)._replace(netloc=f"{HOST}:{port}"))

    moved = {name: at(getattr(direct, name), cxone) for name in direct.__slots__}
    return replace(direct, **{**moved, "influx_url": at(direct.influx_url, influx)})


def _dialect(folder: Path) -> Path:
    """Return a dialect in which readiness tells of the first attempt that fails: v2 lets analytics fail ten times."""
    path = folder / "dialect.yaml"
    shipped = (Path(dialect.__file__).parent / "dialects" / "v2.yaml").read_text()
    path.write_text(shipped.replace("red_after: 10", "red_after: 1"))
    return path


def _common(bootstrap: str, folder: Path, secrets: dict[str, str]) -> dict[str, str]:
    return {
        "PYTHONPATH": str(Path(streams.__file__).parents[1]),
        "STREAMS_DATA_DIR": str(folder / "state"),
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
        "CXONE_CLIENT_ID": "simulator",
        "CXONE_CLIENT_SECRET": secrets["client"],
        "CXONE_ORG_DOMAIN": "attack",
        # What is remembered, and counted exactly, has its size before the attack, and what waits for a system that is
        # down soon has its: more memory is then the attack's. Held are 128 MiB otherwise, which is hours of rows.
        "STREAMS_DEDUPE_HORIZON": "60",
        "STREAMS_EXACT_VALUES": "64",
        "STREAMS_HOLD_BYTES": str(2 << 20),
        "DASHBOARDS_RETRY_BASE": "0.3",
        "STREAMS_FETCH_WAIT": "0.03",  # the embedded broker lets a fetch wait even when something comes
        "LOG_LEVEL": "debug",
    }


def _sockets(places: Addresses) -> dict[str, str]:
    """Return what a connector of a socket needs."""
    return {
        "CXONE_INTERACTIONS_TOKEN_URL": places.token_url,
        "CXONE_INTERACTIONS_WS_URL": places.ws_url,
        "CXONE_MESSAGING_TOKEN_URL": places.messaging_token_url,
        "CXONE_MESSAGING_WS_URL": places.messaging_ws_url,
        "CXONE_ANALYTICS_TOKEN_URL": places.analytics_token_url,
        "CXONE_ANALYTICS_API_URL": places.analytics_api_url,
        "CXONE_ANALYTICS_WS_URL": places.analytics_ws_url,
    }


def _tokens(places: Addresses) -> dict[str, str]:
    """Return where routing gets its tokens."""
    return {"CXONE_MESSAGING_TOKEN_URL": places.messaging_token_url}


def _settings(places: Addresses, folder: Path, secrets: dict[str, str]) -> dict[str, str]:
    """Return the settings of whatever else is called."""
    key, rest = folder / "audit.key", places.messaging_token_url.removesuffix("/oauth/v2/token")
    key.write_bytes(new_key()[0])
    return {
        "CXONE_MESSAGING_API_URL": rest,
        "CXONE_DASHBOARDS_TOKEN_URL": places.messaging_token_url,
        "CXONE_DASHBOARDS_API_URL": rest,
        "CXONE_SCORING_TOKEN_URL": places.messaging_token_url,
        "CXONE_SCORING_API_URL": rest,
        "SCORING_DETAILS": "true",
        "INFLUX_URL": places.influx_url,
        "INFLUX_TOKEN": secrets["influx"],
        "INFLUX_ORG": "cxone",
        "INFLUX_BUCKET": "cxone",
        "CRM_URL": places.crm_url,
        "CRM_TOKEN": secrets["crm"],
        "CRM_WAIT": "2",
        "INFERENCE_URL": places.inference_url,
        "INFERENCE_TOKEN": secrets["model"],
        "ALERT_WEBHOOK_URL": places.alerts_url,
        "ALERT_TOKEN": secrets["alerts"],
        "SQLITE_PATH": str(folder / "metrics.db"),
        "AUDIT_DIR": str(folder / "audit"),
        "AUDIT_KEY": str(key),
        "CXONE_WEBHOOK_SECRETS": secrets["door"],
        "WEBHOOKS_PORT": "0",
        "SCHEMA_REGISTRY_USERNAME": "attack",
        "SCHEMA_REGISTRY_PASSWORD": secrets["registry"],
    }
