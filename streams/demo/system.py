"""Everything in one process tree: embedded broker, simulator, connector, stages."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import streams
from connectors.embedded import EmbeddedBroker
from connectors.simulator.influx import InfluxAccount
from connectors.simulator.server import Addresses
from connectors.simulator.tokens import CxoneAccount
from streams.demo.processes import Child, ChildError
from streams.demo.watch import Watch

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class System:
    """What runs, and where to look at it."""

    children: Sequence[Child]
    addresses: Addresses
    watch: Watch

    def check(self) -> None:
        """Raise ChildError if a part has died."""
        for child in self.children:
            child.check()


@asynccontextmanager
async def running(simulate: Sequence[str], folder: Path) -> AsyncIterator[System]:
    """Run the system while the context lasts; `simulate` are the simulator's options, logs go to `folder`.

    The connector starts last, so that all others are ready when the first frame comes, and is stopped first. Raises
    ChildError when a part does not start; and when one does not stop cleanly, unless another error is under way.
    """
    children: list[Child] = []
    # They run in `folder`; this is where the packages are when they are not installed.
    environment = {"PYTHONPATH": str(Path(streams.__file__).parents[1]), "STREAMS_DATA_DIR": str(folder / "state")}

    async def start(name: str, *arguments: str) -> dict[str, str]:
        child = await Child.start(name, arguments, environment, folder)
        children.append(child)
        return await child.ready(READY_SECONDS)

    with closing(EmbeddedBroker()) as broker, closing(Watch(broker.bootstrap_servers)) as watch:  # makes the topics
        try:
            addresses = Addresses(**await start("simulator", "simulate", *simulate))
            environment |= _settings(broker.bootstrap_servers, addresses)
            await start("worker", "worker", "all")
            await start("connector", "connect", "interactions")
            yield System(children, addresses, watch)
        finally:
            failures = await _stop(children)
    if failures:
        raise ChildError("\n".join(failures))


async def _stop(children: Sequence[Child]) -> list[str]:
    failures = []
    for child in reversed(children):
        try:
            await child.stop(STOP_SECONDS)
        except ChildError as error:
            failures.append(str(error))
    return failures


def _settings(bootstrap_servers: str, addresses: Addresses) -> dict[str, str]:
    cxone, influx = CxoneAccount(), InfluxAccount()
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "KAFKA_CREATE_TOPICS": "false",
        "CXONE_INTERACTIONS_TOKEN_URL": addresses.token_url,
        "CXONE_INTERACTIONS_WS_URL": addresses.ws_url,
        "CXONE_CLIENT_ID": cxone.client_id,
        "CXONE_CLIENT_SECRET": cxone.client_secret,
        "CXONE_ORG_DOMAIN": "demo",
        "INFLUX_URL": addresses.influx_url,
        "INFLUX_TOKEN": influx.token,
        "INFLUX_ORG": influx.org,
        "INFLUX_BUCKET": influx.bucket,
    }
