"""Everything in one process tree: embedded broker, simulator, connectors, stages, and guests who write."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx

import streams
from connectors.kafka.embedded import EmbeddedBroker
from connectors.simulator.cxone.tokens import CxoneAccount
from connectors.simulator.influx.endpoints import InfluxAccount
from connectors.simulator.server import Addresses
from streams.core.audit.heads import new_key
from streams.demo import callers, trail
from streams.demo.callers import Calls
from streams.demo.keeper import Keeper, command_line
from streams.demo.processes import Child, ChildError
from streams.demo.watch import Watch

AUDIT = "audit"
EDITS = 0.7  # of others, in a second
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
WRITERS = 2
_CONNECTORS = ("interactions", "messaging", "analytics", "webhooks")


@dataclass(frozen=True, slots=True)
class System:
    """What runs, and where to look at it. `children` in the order of their start, the two that write last."""

    children: list[Child]
    addresses: Addresses
    metrics_url: str  # of the worker
    door_metrics_url: str
    calls: Calls
    watch: Watch
    keeper: Keeper
    audit: Path  # the folder of its day files
    _keeping: asyncio.Task[None]
    _kept_enough: asyncio.Event

    def check(self) -> None:
        """Raise ChildError if a part has died."""
        for child in self.children:
            child.check()

    async def end_traffic(self) -> None:
        """Let guests write no more and CXone call no more, and finish with the dashboards.

        Raises ChildError if a guest was cut off, or a call of CXone's was given up.
        """
        self._kept_enough.set()
        for _ in range(WRITERS):
            await self.children.pop().stop(STOP_SECONDS)
        await self._keeping


@asynccontextmanager
async def running(
    simulate: Sequence[str], guests: Sequence[str], actions: Sequence[str], folder: Path
) -> AsyncIterator[System]:
    """Run the system while the context lasts, with options of the simulator, guests and callers; logs go to `folder`.

    The connectors start last, so that all others are ready when the first frame comes, and are stopped first. Guests
    write once all are ready. Raises ChildError when a part does not start; and when one does not stop cleanly, unless
    another error is under way.
    """
    children: list[Child] = []
    keeping: asyncio.Task[None] | None = None
    # They run in `folder`; this is where the packages are when they are not installed.
    environment = {"PYTHONPATH": str(Path(streams.__file__).parents[1]), "STREAMS_DATA_DIR": str(folder / "state")}

    async def start(name: str, *arguments: str) -> Child:
        children.append(await Child.start(name, arguments, environment, folder))
        return children[-1]

    with closing(EmbeddedBroker()) as broker, closing(Watch(broker.bootstrap_servers)) as watch:  # makes the topics
        try:
            simulator = await start("simulator", "simulate", *simulate)
            addresses = Addresses(**await simulator.ready(READY_SECONDS))
            environment |= _settings(broker.bootstrap_servers, addresses, folder)
            worker = await (await start("worker", "worker", "all")).ready(READY_SECONDS)
            connectors = [await start(f"connector-{name}", "connect", name) for name in _CONNECTORS]
            door = [await connector.ready(READY_SECONDS) for connector in connectors][-1]["http"]
            ledger = folder / callers.LEDGER
            await start("actions", "actions", f"--url=http://{door}", f"--ledger={ledger}", *actions)
            await start("guests", "guests", f"--url={addresses.guests_url}", *guests)
            keeper, enough = Keeper(command_line(environment, folder), folder), asyncio.Event()
            keeping = asyncio.create_task(_keep(keeper, enough, addresses.faults_url))
            yield System(
                children=children,
                addresses=addresses,
                metrics_url=f"http://{worker['http']}/metrics",
                door_metrics_url=f"http://{door}/metrics",
                calls=Calls(ledger),
                watch=watch,
                keeper=keeper,
                audit=folder / AUDIT,
                _keeping=keeping,
                _kept_enough=enough,
            )
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.wait([keeping])
            failures = await _stop(children)
    if failures:
        raise ChildError("\n".join(failures))


async def _keep(keeper: Keeper, enough: asyncio.Event, faults_url: str) -> None:
    """Make the dashboards, let others edit them, and take turns."""
    await keeper.begin()
    async with httpx.AsyncClient(trust_env=False) as http:  # it speaks with this machine only
        await http.post(faults_url, json={"dashboards_edits": EDITS})
    await keeper.keep(enough)


async def _stop(children: Sequence[Child]) -> list[str]:
    failures = []
    for child in reversed(children):
        try:
            await child.stop(STOP_SECONDS)
        except ChildError as error:
            failures.append(str(error))
    return failures


def _settings(bootstrap_servers: str, addresses: Addresses, folder: Path) -> dict[str, str]:
    cxone, influx = CxoneAccount(), InfluxAccount()
    key = folder / trail.KEY
    key.write_bytes(new_key()[0])
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "KAFKA_CREATE_TOPICS": "false",
        "CXONE_INTERACTIONS_TOKEN_URL": addresses.token_url,
        "CXONE_INTERACTIONS_WS_URL": addresses.ws_url,
        "CXONE_MESSAGING_TOKEN_URL": addresses.messaging_token_url,
        "CXONE_MESSAGING_WS_URL": addresses.messaging_ws_url,
        "CXONE_MESSAGING_API_URL": addresses.messaging_token_url.removesuffix("/oauth/v2/token"),
        "CXONE_ANALYTICS_TOKEN_URL": addresses.analytics_token_url,
        "CXONE_ANALYTICS_API_URL": addresses.analytics_api_url,
        "CXONE_ANALYTICS_WS_URL": addresses.analytics_ws_url,
        "CXONE_CLIENT_ID": cxone.client_id,
        "CXONE_CLIENT_SECRET": cxone.client_secret,
        "CXONE_ORG_DOMAIN": "demo",
        "INFLUX_URL": addresses.influx_url,
        "INFLUX_TOKEN": influx.token,
        "INFLUX_ORG": influx.org,
        "INFLUX_BUCKET": influx.bucket,
        "CRM_URL": addresses.crm_url,
        "ALERT_WEBHOOK_URL": addresses.alerts_url,
        "SQLITE_PATH": str(folder / "cxone-metrics.db"),
        "CXONE_DASHBOARDS_TOKEN_URL": addresses.messaging_token_url,
        "CXONE_DASHBOARDS_API_URL": addresses.messaging_token_url.removesuffix("/oauth/v2/token"),
        "DASHBOARDS_RETRY_BASE": "0.3",
        "AUDIT_DIR": str(folder / AUDIT),
        "AUDIT_KEY": str(key),
        "INFERENCE_URL": addresses.inference_url,
        "SCORING_RETRY_BASE": "0.2",
        "CXONE_WEBHOOK_SECRETS": callers.SECRET,
        "WEBHOOKS_PORT": "0",
        # The embedded broker lets a fetch wait even when something comes, and answers with one batch of a partition:
        # a stage that is behind catches up by larger batches alone.
        "STREAMS_FETCH_WAIT": "0.1",
        "KAFKA_LINGER": "0.1",
        # So short that one sees retries, batches and messages that are given up, and that a bounded demo ends soon
        "CRM_WAIT": "2",
        "ROUTING_RETRY_BASE": "0.5",
        "ROUTING_RETRIES": "2",
    }
