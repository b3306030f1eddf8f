"""`cxone-streams dashboards watch`: what others change, as CXone tells of it."""

from typing import Annotated

import typer


def watch(
    *,
    since: Annotated[str, typer.Option(help="From when: an age such as 10m or 2d, or a time.")] = "0s",
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long; until Ctrl-C without.")] = None,
) -> None:
    """Show changes that we did not make, a line each, as webhooks tell of them (see `subscribe`).

    A change waits for half a minute at most while a worker has sent one of ours and not heard of it.
    """
    import asyncio
    import time

    from connectors.kafka.topic_reader import start
    from streams.cli.ending import ended
    from streams.programs.dashboards import foreign_changes
    from streams.stages.dashboards.watching import line

    async def show() -> None:
        until = None if seconds is None else time.time() + seconds
        async for change in foreign_changes(start(since, now=time.time()), until=until):
            typer.echo(line(change))

    with ended():
        try:
            asyncio.run(show())
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
