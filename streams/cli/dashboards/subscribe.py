"""`cxone-streams dashboards subscribe`: CXone tells of changes by webhook."""

from typing import Annotated

import typer


def subscribe(
    url: Annotated[str, typer.Argument(help="Where CXone delivers: the public https URL of `connect webhooks`.")],
) -> None:
    """Let CXone call a URL when somebody changes or makes a dashboard. Done once: again, it finds what is there.

    Found by its name where CXone lists subscriptions, else by what is remembered in cxone.subscriptions.
    """
    import asyncio

    from connectors.settings import check_http_url
    from streams.cli.ending import ended
    from streams.programs.dashboards import subscribed

    try:
        check_http_url(url)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="URL") from None
    with ended():
        done = asyncio.run(subscribed(url))
    typer.echo(f"subscription {done.id}: {'made' if done.made else 'is there'}")
