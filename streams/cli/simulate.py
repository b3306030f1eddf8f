"""`cxone-streams simulate`: a stand-in CXone, CRM and InfluxDB on loopback ports."""

from typing import Annotated

import typer


def simulate(  # noqa: PLR0913 - one argument per option
    *,
    rate: Annotated[float, typer.Option(min=0.1, help="New frames of interactions per second.")] = 500,
    speedup: Annotated[float, typer.Option(min=1, help="Event time per real time, until it reaches now.")] = 360,
    history_hours: Annotated[float, typer.Option(min=0, max=46, help="How far in the past event time begins.")] = 24,
    campaigns: Annotated[int, typer.Option(min=1, help="Campaigns, a few of them with most of the frames.")] = 40,
    redelivered: Annotated[float, typer.Option(min=0, max=0.9, help="Share of frames sent again.")] = 0.10,
    malformed: Annotated[float, typer.Option(min=0, max=0.9, help="Share of frames that are wrong.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed and start give the same frames.")] = 1,
    count: Annotated[int | None, typer.Option(min=1, help="Stop generating after so many new frames.")] = None,
    analytics_rate: Annotated[float, typer.Option(min=0.1, help="New analytics events per second.")] = 10,
    analytics_speedup: Annotated[float, typer.Option(min=1, help="As --speedup, of analytics.")] = 1,
    analytics_history: Annotated[float, typer.Option(min=0, help="As --history-hours, of analytics; in seconds.")] = 0,
    analytics_wave: Annotated[float, typer.Option(min=60, help="Seconds between two waves of long calls.")] = 900,
    analytics_count: Annotated[int | None, typer.Option(min=1, help="As --count, of analytics.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but this machine's lets a network at the stand-ins.")
    ] = "127.0.0.1",
    cxone_port: Annotated[int, typer.Option(help="Port of CXone and the CRM; 0 takes a free one.")] = 0,
    influx_port: Annotated[int, typer.Option(help="Port of InfluxDB; 0 takes a free one.")] = 0,
    client_id: Annotated[str, typer.Option(help="What clients have to show; made up.")] = "simulator",
    client_secret: Annotated[str, typer.Option(help="What clients have to show; made up.")] = "simulator-secret",  # noqa: S107
    influx_token: Annotated[str, typer.Option(help="What writers have to show; made up.")] = "simulator-token",  # noqa: S107
    influx_org: Annotated[str, typer.Option(help="Organisation to write to.")] = "cxone",
    influx_bucket: Annotated[str, typer.Option(help="Bucket to write to.")] = "cxone",
    faults: Annotated[str, typer.Option(help="Faults from the start, as JSON; see docs/simulator.md.")] = "{}",
) -> None:
    """Stand in for CXone (OAuth, events, web messaging, routing, analytics), a CRM and InfluxDB on 127.0.0.1.

    Prints one line of JSON with its addresses when it is ready; stops on SIGTERM and Ctrl-C.
    """
    import asyncio
    from dataclasses import asdict

    import orjson
    import uvloop
    from pydantic import ValidationError

    from connectors.simulator.analytics import traffic as analytics
    from connectors.simulator.clock import HOUR
    from connectors.simulator.cxone.tokens import CxoneAccount
    from connectors.simulator.faults import Faults
    from connectors.simulator.influx.endpoints import InfluxAccount
    from connectors.simulator.interactions.traffic import Plan
    from connectors.simulator.server import Addresses, Simulation, run

    try:
        wanted = Faults.model_validate_json(faults)
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from error
    simulation = Simulation(
        plan=Plan(
            seed=seed,
            rate=rate,
            speedup=speedup,
            history=history_hours * HOUR,
            campaigns=campaigns,
            redelivered=redelivered,
            malformed=malformed,
            number=count,
        ),
        analytics=analytics.Plan(
            seed=seed,
            rate=analytics_rate,
            speedup=analytics_speedup,
            history=analytics_history,
            wave=analytics_wave,
            number=analytics_count,
            redelivered=redelivered,
            malformed=malformed,
        ),
        faults=wanted,
        cxone=CxoneAccount(client_id, client_secret),
        influx=InfluxAccount(influx_token, influx_org, influx_bucket),
        host=host,
        cxone_port=cxone_port,
        influx_port=influx_port,
    )

    def ready(addresses: Addresses) -> None:
        typer.echo(orjson.dumps(asdict(addresses)).decode())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(simulation, ready))
