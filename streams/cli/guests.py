"""`cxone-streams guests`: guests who write to the simulator, bots among them."""

from typing import Annotated

import typer


def guests(  # noqa: PLR0913 - one argument per option
    *,
    count: Annotated[int, typer.Option(min=1, max=5000, help="Guests, each with a socket of its own.")] = 400,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages per second of all guests together.")] = 50,
    bots: Annotated[int, typer.Option(min=0, help="Guests who flood: each writes two messages a second.")] = 4,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long they write.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same messages.")] = 1,
    url: Annotated[
        str, typer.Option(help="The simulator's guests_url (this one with simulate --cxone-port 8480).")
    ] = "ws://127.0.0.1:8480/webchat/v1/guest",
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Write to the simulator as guests of a web chat do, until the time is over or Ctrl-C.

    Guests who are no bots share what the bots leave of the rate. With fewer than four of them per message and second
    they too exceed 15 messages a minute. Exit code 1 when the simulator cannot be reached or cuts guests off.
    """
    import asyncio
    import signal
    import sys
    import time
    from contextlib import suppress
    from dataclasses import asdict
    from urllib.parse import urlsplit

    import orjson
    import uvloop
    from websockets.exceptions import InvalidHandshake

    from connectors.simulator.messaging.crowd import Plan
    from connectors.simulator.messaging.visit import Sent, visit

    if urlsplit(url).scheme != "ws" or urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise typer.BadParameter("must be a simulator on this machine: ws://127.0.0.1:…", param_hint="--url")
    try:
        plan = Plan(count=count, rate=rate, bots=bots, seconds=seconds, seed=seed)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--rate, --bots, --count") from None
    sent = Sent()
    started = time.monotonic()

    async def show() -> None:
        while sys.stderr.isatty():
            elapsed = time.monotonic() - started
            typer.echo(f"\r{elapsed:5.0f} s  people {sent.people:,}  bots {sent.bots:,} ", err=True, nl=False)
            await asyncio.sleep(0.5)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        showing = asyncio.create_task(show())
        try:
            await visit(url, plan, sent, stop)
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except (OSError, InvalidHandshake) as failed:
        typer.echo(f"No guest could enter at {url}: {failed}. Is `cxone-streams simulate` running there?", err=True)
        raise typer.Exit(1) from None
    if sys.stderr.isatty():
        typer.echo(err=True)
    report = {"guests": count, "sent": sent.people + sent.bots, **asdict(sent)}
    typer.echo(orjson.dumps(report).decode() if json else "  ".join(f"{name} {n:,}" for name, n in report.items()))
    raise typer.Exit(1 if sent.cut_off else 0)
