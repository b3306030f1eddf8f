"""The stand-ins on loopback ports, from start to stop."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from connectors.simulator.alerts.endpoints import AlertWebhook
from connectors.simulator.analytics import traffic as analytics_traffic
from connectors.simulator.analytics.endpoints import Analytics
from connectors.simulator.controls import Controls
from connectors.simulator.crm.endpoints import Crm
from connectors.simulator.cxone.tokens import CxoneAccount, Tokens
from connectors.simulator.dashboards.endpoints import Dashboards
from connectors.simulator.dashboards.subscriptions import Subscriptions
from connectors.simulator.faults import FaultBox, Faults
from connectors.simulator.inference.details import InteractionDetails
from connectors.simulator.inference.endpoints import Inference
from connectors.simulator.influx.endpoints import Influx, InfluxAccount
from connectors.simulator.influx.points import PointStore
from connectors.simulator.interactions.endpoints import Cxone
from connectors.simulator.interactions.traffic import Plan, deliveries
from connectors.simulator.messaging.endpoints import Messaging
from connectors.simulator.routing.endpoints import Routing

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What to run. Port 0 takes a free one; the credentials are what clients have to show."""

    plan: Plan = field(default_factory=Plan)
    analytics: analytics_traffic.Plan = field(default_factory=analytics_traffic.Plan)
    faults: Faults = field(default_factory=Faults)
    cxone: CxoneAccount = field(default_factory=CxoneAccount)
    influx: InfluxAccount = field(default_factory=InfluxAccount)
    host: str = HOST
    cxone_port: int = 0
    influx_port: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is. The ledgers, `truth_url`, `faults_url` and `points_url` are for judges and tests."""

    token_url: str
    ws_url: str
    ledger_url: str
    truth_url: str
    faults_url: str
    influx_url: str
    points_url: str
    messaging_token_url: str
    messaging_ws_url: str
    guests_url: str
    routing_url: str
    crm_url: str
    messages_ledger_url: str
    routing_ledger_url: str
    crm_ledger_url: str
    analytics_token_url: str
    analytics_api_url: str
    analytics_ws_url: str
    analytics_ledger_url: str
    alerts_url: str
    alerts_ledger_url: str
    dashboards_url: str
    dashboards_edit_url: str
    dashboards_ledger_url: str
    subscriptions_url: str
    subscriptions_ledger_url: str
    inference_url: str
    inference_ledger_url: str


@web.middleware
async def no_browsers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a web page sends: any page that is open on this machine could change what the stand-ins do."""
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        raise web.HTTPForbidden(text="not for web pages")
    return await handler(request)


@asynccontextmanager
async def serve(simulation: Simulation, *, now: Callable[[], float] = time.time) -> AsyncIterator[Addresses]:
    """Run the stand-ins while the context lasts; traffic begins at once and waits for its client."""
    faults = FaultBox(simulation.faults)
    tokens = Tokens(simulation.cxone)
    started_at = now()
    seed = simulation.plan.seed
    cxone = Cxone(deliveries(simulation.plan, started_at), tokens, faults, now=now)
    messaging = Messaging(tokens, faults, seed=seed, now=now)
    routing = Routing(tokens, faults, messaging.ledger.seconds_since, seed=seed, now=now)
    crm = Crm(faults)
    secret = simulation.cxone.webhook_secret
    subscriptions = Subscriptions(tokens, faults, secret=secret, seed=seed, now=now)
    dashboards = Dashboards(tokens, faults, subscriptions.changed, seed=seed, now=now)
    analytics = Analytics(analytics_traffic.deliveries(simulation.analytics, started_at), tokens, faults, now=now)
    sockets = (cxone.feed.sockets, messaging.feed.sockets, analytics.feed.sockets)
    controls = Controls(faults, tokens, sockets, analytics.forget)
    influx = Influx(simulation.influx, PointStore(), faults, now=now)
    app = web.Application(middlewares=[no_browsers])
    model, webhook = Inference(faults, seed=seed), AlertWebhook(faults)
    details = InteractionDetails(tokens, faults, now=now)
    rest = (routing, dashboards, subscriptions, details)
    for door in (cxone, messaging, analytics, *rest, crm, model, webhook, controls):
        app.add_routes(door.routes())
    async with (
        _listening(app, simulation.host, simulation.cxone_port) as port,
        _listening(influx.app(), simulation.host, simulation.influx_port) as influx_port,
    ):
        endless = (messaging.run(), dashboards.run(), subscriptions.run())
        running = (cxone.run(started_at), analytics.run(started_at), *endless)
        pumps = [asyncio.create_task(run) for run in running]
        try:
            yield _addresses(port, influx_port)
        finally:
            for pump in pumps:
                pump.cancel()
                with suppress(asyncio.CancelledError):
                    await pump
            cxone.feed.close()
            analytics.feed.close()
            await messaging.close()


async def run(simulation: Simulation, ready: Callable[[Addresses], object]) -> None:
    """Serve until SIGTERM or SIGINT; call `ready` once all doors are open."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulation) as addresses:
        ready(addresses)
        await stop.wait()


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    # No access log: tokens travel in URLs.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _addresses(port: int, influx_port: int) -> Addresses:
    cxone, ws, influx = f"http://{HOST}:{port}", f"ws://{HOST}:{port}", f"http://{HOST}:{influx_port}"
    return Addresses(
        token_url=f"{cxone}/oauth/token",
        ws_url=f"{ws}/api/v2/events",
        ledger_url=f"{cxone}/ledger",
        truth_url=f"{cxone}/ledger/events",
        faults_url=f"{cxone}/faults",
        influx_url=influx,
        points_url=f"{influx}/points",
        messaging_token_url=f"{cxone}/oauth/v2/token",
        messaging_ws_url=f"{ws}/webchat/v1/ws",
        guests_url=f"{ws}/webchat/v1/guest",
        routing_url=f"{cxone}/api/v2/routing/conversations",
        crm_url=f"{cxone}/crm/contacts",
        messages_ledger_url=f"{cxone}/ledger/messages",
        routing_ledger_url=f"{cxone}/ledger/routing",
        crm_ledger_url=f"{cxone}/ledger/crm",
        analytics_token_url=f"{cxone}/analytics/oauth/token",
        analytics_api_url=f"{cxone}/analytics",
        analytics_ws_url=f"{ws}/analytics/api/v2/events",
        analytics_ledger_url=f"{cxone}/ledger/analytics",
        alerts_url=f"{cxone}/alerts",
        alerts_ledger_url=f"{cxone}/ledger/alerts",
        dashboards_url=f"{cxone}/api/v2/dashboards",
        dashboards_edit_url=f"{cxone}/dashboards/edit",
        dashboards_ledger_url=f"{cxone}/ledger/dashboards",
        subscriptions_url=f"{cxone}/api/v2/events/subscriptions",
        subscriptions_ledger_url=f"{cxone}/ledger/subscriptions",
        inference_url=f"{cxone}/inference",
        inference_ledger_url=f"{cxone}/ledger/inference",
    )
