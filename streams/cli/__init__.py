"""The `cxone-streams` command: one module per sub-command, each importing what it needs only when it runs."""

from typing import Annotated

import typer

from streams.cli.actions import actions
from streams.cli.asyncapi import asyncapi
from streams.cli.audit import app as audit
from streams.cli.connect import app as connect
from streams.cli.dashboards import app as dashboards
from streams.cli.demo import demo
from streams.cli.dlq import app as dlq
from streams.cli.doctor import doctor
from streams.cli.guests import guests
from streams.cli.lag import lag
from streams.cli.query import app as query
from streams.cli.schemas import app as schemas
from streams.cli.simulate import simulate
from streams.cli.tail import tail
from streams.cli.topics import app as topics
from streams.cli.topology import topology
from streams.cli.worker import worker

app = typer.Typer(
    name="cxone-streams",
    help="NICE CXone events as a stream-processing topology on Kafka.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold secrets
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer gives it so
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cxone-streams {version('cxone-streams')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """NICE CXone events as a stream-processing topology on Kafka."""


app.command()(demo)
app.command()(worker)
app.add_typer(connect, name="connect")
app.command()(simulate)
app.command()(guests)
app.command()(actions)
app.add_typer(query, name="query")
app.add_typer(topics, name="topics")
app.command()(tail)
app.command()(lag)
app.command()(topology)
app.command()(doctor)
app.command()(asyncapi)
app.add_typer(dlq, name="dlq")
app.add_typer(dashboards, name="dashboards")
app.add_typer(audit, name="audit")
app.add_typer(schemas, name="schemas")


def main() -> None:
    """Run the command line."""
    app()
