"""`cxone-streams dlq` as somebody at a terminal runs it."""

import json
from typing import Any

from typer.testing import CliRunner

from streams.cli import app


def dlq(bootstrap: str, *arguments: str) -> Any:
    """Run a command that succeeds; return what it prints as JSON."""
    done = CliRunner(env={"KAFKA_BOOTSTRAP_SERVERS": bootstrap}).invoke(app, ["dlq", *arguments])
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return json.loads(done.stdout)
