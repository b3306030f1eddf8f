"""`cxone-streams actions`: CXone's webhooks, sent to a door."""

from pathlib import Path
from typing import Annotated

import typer


def actions(  # noqa: PLR0913 - one argument per option
    *,
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Calls per second.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long CXone calls.")] = 60,
    dashboards: Annotated[float, typer.Option(min=0, max=1, help="Share that tells of changed dashboards.")] = 0.05,
    malformed: Annotated[float, typer.Option(min=0, max=1, help="Share that cannot be used.")] = 0.01,
    redelivered: Annotated[float, typer.Option(min=0, max=1, help="Share that comes again though accepted.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same calls, but for their ids.")] = 1,
    url: Annotated[str, typer.Option(help="The door, on this machine.")] = "http://127.0.0.1:8000",
    ledger: Annotated[Path | None, typer.Option(help="Write a line of JSON for each call to this file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Call a door (connect webhooks) as CXone does, until the time is over or Ctrl-C.

    CXone keeps its own pace, whatever the answers take, and repeats a failed call twice. Shows the first of
    CXONE_WEBHOOK_SECRETS. Tells how many calls were accepted, repeated and given up, and how long the accepted took.
    Exit code 1 when a call was given up.
    """
    import asyncio
    import time
    from contextlib import ExitStack
    from urllib.parse import urlsplit
    from uuid import uuid4

    import orjson
    import uvloop

    from connectors.ingress.webhooks.settings import WebhookSecrets
    from connectors.settings import load
    from connectors.simulator.actions.bodies import Plan, calls
    from connectors.simulator.actions.caller import Sent, call, nobody
    from connectors.simulator.actions.ledger import CallLedger
    from streams.cli.ending import ended, writing
    from streams.programs.lifecycle import on_signal

    if urlsplit(url).scheme != "http" or urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise typer.BadParameter("must be a door on this machine: http://127.0.0.1:…", param_hint="--url")
    plan = Plan(
        rate=rate, seconds=seconds, dashboards=dashboards, malformed=malformed, redelivered=redelivered, seed=seed
    )
    sent = Sent()

    async def main(secret: str) -> None:
        stop = asyncio.Event()
        on_signal(stop.set)
        ends = time.monotonic() + seconds

        def over() -> bool:
            return stop.is_set() or time.monotonic() >= ends

        with ExitStack() as stack:
            file = None
            if ledger is not None:
                with writing(ledger):
                    file = stack.enter_context(ledger.open("w"))
            settled = nobody if file is None else CallLedger(file).settled
            each = calls(plan, uuid4().hex[:8])
            await call(url, secret, each, sent, rate=rate, until=over, settled=settled)

    with ended():
        secret = load(WebhookSecrets).each()[0]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(secret))
    report = {
        "calls": sent.calls,
        "accepted": sent.accepted,
        "refused": sent.refused,
        "repeated": sent.repeated,
        "redelivered": sent.redelivered,
        "given_up": sent.given_up,
        "left_out": sent.late,
        "p50_ms": round(1000 * sent.percentile(0.5), 1),
        "p99_ms": round(1000 * sent.percentile(0.99), 1),
    }
    typer.echo(orjson.dumps(report).decode() if json else "  ".join(f"{name} {n:,}" for name, n in report.items()))
    raise typer.Exit(1 if sent.given_up else 0)
