"""`cxone-streams demo`: the whole system on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def demo(  # noqa: PLR0913 - one argument per option
    *,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Send for so long, wait for the rest, check it. Without: until Ctrl-C.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report of a bounded demo to this file.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="New frames of interactions per second.")] = 500,
    speedup: Annotated[float, typer.Option(min=1, help="Event time per real time, until it reaches now.")] = 360,
    seed: Annotated[int, typer.Option(help="The same seed gives the same traffic.")] = 1,
    redelivered: Annotated[float, typer.Option(min=0, max=0.9, help="Share of frames sent again.")] = 0.10,
    malformed: Annotated[float, typer.Option(min=0, max=0.9, help="Share of frames that are wrong.")] = 0.01,
) -> None:
    """Run broker, simulated CXone, CRM and InfluxDB, connectors and stages here, and watch percentiles and guests.

    With --seconds, what is in InfluxDB in the end is checked against a batch computation over what was sent, and what
    became of every guest's message against the rules; exit 1 on any mismatch. Needs no Kafka, Java or Docker.
    """
    import asyncio
    import shutil
    import tempfile

    from rich.console import Console

    from streams.demo.run import Options, run

    if json is not None and seconds is None:
        raise typer.BadParameter("only a bounded demo writes a report: add --seconds", param_hint="--json")
    options = Options(
        seconds=seconds,
        rate=rate,
        speedup=speedup,
        seed=seed,
        redelivered=redelivered,
        malformed=malformed,
        report=json,
    )
    folder = Path(tempfile.mkdtemp(prefix="cxone-demo-"))
    code = asyncio.run(run(options, Console(), folder))
    if code == 0 and seconds is not None:
        shutil.rmtree(folder)  # all of it was as it should be: nobody needs the logs
    raise typer.Exit(code)
