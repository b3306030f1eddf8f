"""`cxone-streams audit verify|show|key`: the audit trail of the dashboards."""

import typer

from streams.cli.audit.key import key
from streams.cli.audit.show import show
from streams.cli.audit.verify import verify

app = typer.Typer(
    help="Verify and read the audit trail of the dashboards, and make the key that signs it.", no_args_is_help=True
)
app.command()(verify)
app.command()(show)
app.command()(key)
