"""`make attack`: every client and every way in against hostile peers, while what nobody attacks has to go on.

Quiet first, then so many `SECONDS` of attacks at random (`SEED` says which), then quiet again. Exit status 1 when
something is not as it must be.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from connectors.kafka.embedded import PARTITIONS, EmbeddedBroker
from connectors.simulator.analytics import traffic as analytics
from connectors.simulator.cxone.tokens import CxoneAccount
from connectors.simulator.influx.endpoints import InfluxAccount
from connectors.simulator.interactions import traffic
from connectors.simulator.server import Addresses, Simulation, serve
from streams import topology
from streams.core.audit.heads import new_key
from streams.demo.keeper import Keeper, command_line
from streams.demo.processes import Child
from streams.demo.watch import Watch
from tests.attack.callers import call
from tests.attack.peer import HOST, Peer
from tests.attack.watch import Phase, Searcher, counted, memory, ready

SECONDS = float(sys.argv[1]) if sys.argv[1:] else 600.0
SEED = int(os.environ.get("SEED", "1"))
WARM_UP, QUIET, RECOVERS = 40.0, 40.0, 30.0  # seconds
RATE = 100.0  # interactions a second, which nobody attacks
CALLS = 5.0  # of the door by somebody who knows its secret, a second
REPOSITORY = Path(__file__).resolve().parents[2]

ATTACKED = ("worker", "connector-messaging", "connector-analytics")
LARGEST, SLOWEST, REDDEST = 1.5, 0.8, 0.5  # memory and work as shares of the quiet ones; looks that must be red
HEALTHY = {
    "interactions": ("worker", 'cxone_normalise_frames_total{outcome="completed"}'),
    "webhooks": ("worker", 'cxone_actions_frames_total{outcome="completed"}'),
}


@dataclass
class System:
    """What runs. `addresses` are those of the probes, which the door of the webhooks has on its own port."""

    children: dict[str, Child] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    peers: list[Peer] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    bootstrap: str = ""
    keeper: Keeper | None = None


@asynccontextmanager
async def running(folder: Path, random: Random) -> AsyncIterator[System]:
    system = System(secrets={name: token_hex(20) for name in ("client", "influx", "crm", "model", "alerts", "door")})
    secrets = system.secrets
    simulation = Simulation(
        plan=traffic.Plan(rate=RATE, speedup=1.0, history=0.0),
        analytics=analytics.Plan(rate=5.0),
        cxone=CxoneAccount(client_secret=secrets["client"]),
        influx=InfluxAccount(token=secrets["influx"]),
    )
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(closing(EmbeddedBroker()))
        system.bootstrap = broker.bootstrap_servers
        stack.enter_context(closing(Watch(system.bootstrap)))  # makes the topics
        addresses = await stack.enter_async_context(serve(simulation))
        cxone = await _peer(system, stack, addresses.ws_url, random)
        influx = await _peer(system, stack, addresses.influx_url, random)
        environment = _environment(system, addresses, folder, cxone, influx)

        async def start(name: str, *arguments: str) -> None:
            child = await Child.start(name, arguments, environment, folder)
            stack.push_async_callback(child.stop, 30.0)
            system.children[name] = child
            said = await child.ready(90.0)
            system.addresses[name] = said["http"]

        await start("worker", "worker", "all")
        for name in ("interactions", "messaging", "analytics", "webhooks"):
            await start(f"connector-{name}", "connect", name)
        system.children["guests"] = await Child.start(
            "guests",
            ("guests", f"--url={addresses.guests_url}", "--rate=5", "--bots=0", "--seconds=1e9"),
            environment,
            folder,
        )
        stack.push_async_callback(system.children["guests"].stop, 30.0)
        url = f"http://{system.addresses['connector-webhooks']}/webhook/cxone-data-action"
        system.keeper = Keeper(command_line(environment, folder), folder)
        for work in (_honest(url, secrets["door"]), _keep(system.keeper)):
            task = asyncio.create_task(work)
            stack.callback(task.cancel)
        yield system


async def _keep(keeper: Keeper) -> None:
    """Apply files of dashboards now and then, whatever comes of it."""
    await keeper.begin()
    while True:
        await asyncio.sleep(10.0)
        await keeper.turn()


async def _honest(url: str, secret: str) -> None:
    """Call the door as CXone does, whatever it answers."""
    headers = {"X-CXone-Webhook-Secret": secret}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        while True:
            with suppress(httpx.HTTPError):
                await http.post(url, json={"id": token_hex(8), "channel": "voice"}, headers=headers)
            await asyncio.sleep(1 / CALLS)


async def _peer(system: System, stack: AsyncExitStack, url: str, random: Random) -> int:
    port = urlsplit(url).port
    assert port is not None
    peer = Peer(port, Random(random.random()))
    await peer.start()
    stack.push_async_callback(peer.close)
    system.peers.append(peer)
    return peer.port


def _environment(system: System, places: Addresses, folder: Path, cxone: int, influx: int) -> dict[str, str]:
    def at(url: str, port: int = cxone) -> str:
        return urlunsplit(urlsplit(url)._replace(netloc=f"{HOST}:{port}"))

    key, secrets = folder / "audit.key", system.secrets
    key.write_bytes(new_key()[0])
    token_url = at(places.messaging_token_url)
    return {
        "PYTHONPATH": str(REPOSITORY),
        "STREAMS_DATA_DIR": str(folder / "state"),
        "KAFKA_BOOTSTRAP_SERVERS": system.bootstrap,
        "KAFKA_CREATE_TOPICS": "false",
        "CXONE_INTERACTIONS_TOKEN_URL": places.token_url,
        "CXONE_INTERACTIONS_WS_URL": places.ws_url,
        "CXONE_MESSAGING_TOKEN_URL": token_url,
        "CXONE_MESSAGING_WS_URL": at(places.messaging_ws_url),
        "CXONE_MESSAGING_API_URL": token_url.removesuffix("/oauth/v2/token"),
        "CXONE_ANALYTICS_TOKEN_URL": at(places.analytics_token_url),
        "CXONE_ANALYTICS_API_URL": at(places.analytics_api_url),
        "CXONE_ANALYTICS_WS_URL": at(places.analytics_ws_url),
        "CXONE_DASHBOARDS_TOKEN_URL": token_url,
        "CXONE_DASHBOARDS_API_URL": token_url.removesuffix("/oauth/v2/token"),
        "CXONE_CLIENT_ID": "simulator",
        "CXONE_CLIENT_SECRET": secrets["client"],
        "CXONE_ORG_DOMAIN": "attack",
        "INFLUX_URL": at(places.influx_url, influx),
        "INFLUX_TOKEN": secrets["influx"],
        "INFLUX_ORG": "cxone",
        "INFLUX_BUCKET": "cxone",
        "CRM_URL": at(places.crm_url),
        "CRM_TOKEN": secrets["crm"],
        "CRM_WAIT": "2",
        "INFERENCE_URL": at(places.inference_url),
        "INFERENCE_TOKEN": secrets["model"],
        "ALERT_WEBHOOK_URL": at(places.alerts_url),
        "ALERT_TOKEN": secrets["alerts"],
        "SQLITE_PATH": str(folder / "metrics.db"),
        "AUDIT_DIR": str(folder / "audit"),
        "AUDIT_KEY": str(key),
        "CXONE_WEBHOOK_SECRETS": secrets["door"],
        "WEBHOOKS_PORT": "0",
        "STREAMS_FETCH_WAIT": "0.03",  # the embedded broker lets a fetch wait even when something comes
        "LOG_LEVEL": "debug",
    }


async def watch(system: System, seconds: float, http: httpx.AsyncClient) -> Phase:
    """Look at everything once a second for so long. Raises ChildError when a process has ended."""
    phase, first = (
        Phase(),
        {name: await counted(http, system.addresses[of], sample) for name, (of, sample) in HEALTHY.items()},
    )
    while time.monotonic() - phase.began < seconds:
        for name, child in system.children.items():
            child.check()
            phase.memory[name] = max(phase.memory.get(name, 0), memory(child))
        for name, address in system.addresses.items():
            phase.looks[name].append(await ready(http, address))
        await asyncio.sleep(1.0)
    phase.ended = time.monotonic()
    for name, (of, sample) in HEALTHY.items():
        phase.work[name] = first[name], await counted(http, system.addresses[of], sample)
    return phase


async def green(system: System, http: httpx.AsyncClient) -> tuple[float, list[str]]:
    """Return after how many seconds all are ready, and who is not."""
    began, red = time.monotonic(), list(system.addresses)
    while red and time.monotonic() - began < 2 * RECOVERS:
        red = [name for name, address in system.addresses.items() if not await ready(http, address)]
        await asyncio.sleep(0.5)
    return time.monotonic() - began, red


def leaks(system: System, folder: Path) -> list[str]:
    """Return where a secret stands: in what processes have printed, and in what they have written to Kafka."""
    tokens = {token for peer in system.peers for token in peer.tokens}
    search = Searcher({*(secret.encode() for secret in system.secrets.values()), *tokens})
    found = [
        f"{path.name}: {place!r}"
        for path in (*folder.glob("*.log"), *folder.glob("*.out"))
        for place in search.found(path.read_bytes())
    ]
    consumer = Consumer({"bootstrap.servers": system.bootstrap, "group.id": "leaks", "enable.auto.commit": False})
    names = [spec.name for spec in topology.topics()]
    consumer.assign([TopicPartition(name, part, OFFSET_BEGINNING) for name in names for part in range(PARTITIONS)])
    quiet = 0
    while quiet < 10:
        messages = consumer.consume(5000, 0.5)
        quiet = 0 if messages else quiet + 1
        for message in messages:
            if message.error() is None:
                headers: Any = message.headers() or []
                parts = (message.key() or b"", message.value() or b"", *(value or b"" for _, value in headers))
                found += [f"{message.topic()}: {place!r}" for part in parts for place in search.found(part)]
    consumer.close()
    return found


def judge(quiet: Phase, attack: Phase) -> list[str]:
    """Return a sentence for everything that is not as it must be."""
    wrong = [
        f"{name} took {attack.memory[name] / most:.2f} x the memory that it took before"
        for name, most in quiet.memory.items()
        if attack.memory[name] >= LARGEST * most
    ]
    wrong += [
        f"{name}: {attack.rate(name):.1f} a second, before {quiet.rate(name):.1f}"
        for name in HEALTHY
        if attack.rate(name) < SLOWEST * quiet.rate(name)
    ]
    wrong += [f"{name} was red in {attack.red(name):.0%} of looks" for name in ATTACKED if attack.red(name) < REDDEST]
    wrong += [f"{name} was red before it was attacked" for name in ATTACKED if quiet.red(name)]
    return wrong


def tell(title: str, phase: Phase) -> None:
    for name, most in phase.memory.items():
        red = f", red in {phase.red(name):.0%} of looks" if name in phase.looks else ""
        say(f"{title}: {name} {most / 2**20:.0f} MiB{red}")
    for name in phase.work:
        say(f"{title}: {name} {phase.rate(name):.1f} a second")


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - it is a program


async def main() -> int:
    random, folder = Random(SEED), Path(tempfile.mkdtemp(prefix="attack-"))
    say(f"seed {SEED}; logs in {folder}")
    try:
        wrong = await _all_phases(folder, random)
    except Exception as ended:  # noqa: BLE001 - what ended first may be hidden by how others stopped
        wrong = []
        failure: Exception | None = ended
        while failure is not None:
            wrong.append(f"{type(failure).__name__}: {failure}")
            failure = failure.__context__ if isinstance(failure.__context__, Exception) else None
    for sentence in wrong:
        say(f"WRONG: {sentence}")
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


async def _all_phases(folder: Path, random: Random) -> list[str]:
    """Return what was not as it must be."""
    async with running(folder, random) as system, httpx.AsyncClient(timeout=15, trust_env=False) as http:
        await watch(system, WARM_UP, http)
        quiet = await watch(system, QUIET, http)
        tell("quiet", quiet)
        done: Counter[str] = Counter()
        for peer in system.peers:
            await peer.turn(hostile=True)
        attack = await _attacked(system, random, http, done)
        for peer in system.peers:
            await peer.turn(hostile=False)
        tell("attacked", attack)
        after, red = await green(system, http)
        say(f"green again after {after:.1f} s")
        wrong = judge(quiet, attack)
        if red or after > RECOVERS:
            wrong.append(f"not green within {RECOVERS:g} s: {', '.join(red) or 'late'}")
        say(f"done to clients: {dict(sum((peer.attacks for peer in system.peers), Counter()))}")
        say(f"done to doors: {dict(done)}")
        shown = await asyncio.to_thread(leaks, system, folder)
        say(f"secrets shown: {len(shown)}")
        kept = system.keeper.kept if system.keeper else None
        say(f"dashboards: {dict(kept.turns) if kept else {}}")
        return [*wrong, *shown[:20], *(said for said in (kept.failures if kept else []) if "Traceback" in said)]


async def _attacked(system: System, random: Random, http: httpx.AsyncClient, done: Counter[str]) -> Phase:
    doors = [(int(address.rpartition(":")[2]), "/readyz") for address in system.addresses.values()]
    doors += [(port, "/webhook/cxone-data-action") for port, _ in doors[-1:]] * 4
    calling = [
        asyncio.create_task(call(port, path, system.secrets["door"], Random(random.random()), done))
        for port, path in doors
        for _ in range(5)
    ]
    try:
        return await watch(system, SECONDS, http)
    finally:
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
