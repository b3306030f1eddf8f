"""`cxone-streams dashboards`: dashboards kept as files."""

import typer

from streams.cli.dashboards.apply import adopt, apply, forget
from streams.cli.dashboards.plan import diff, get, plan
from streams.cli.dashboards.subscribe import subscribe
from streams.cli.dashboards.validate import schema, validate
from streams.cli.dashboards.watch import watch

app = typer.Typer(
    help="""Keep CXone's dashboards as YAML files: check them, see what would change, put them into CXone.

    Start with `validate`: it needs neither Kafka nor CXone. docs/stages/dashboards.md describes the files.
    """,
    no_args_is_help=True,
)
app.command()(validate)
app.command()(plan)
app.command()(apply)
app.command()(get)
app.command()(adopt)
app.command()(diff)
app.command()(forget)
app.command()(watch)
app.command()(subscribe)
app.command()(schema)
