"""How every command ends: the reason on standard error, and the exit status."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def ended() -> Iterator[None]:
    """Exit with the status of what is raised: see `streams.programs.lifecycle.Exit`."""
    from streams.programs.lifecycle import Ended, ending  # what a command needs is imported when it runs

    try:
        with ending():
            yield
    except Ended as end:
        if reason := str(end):
            typer.echo(reason, err=True)
        raise typer.Exit(end.status) from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """As `ended`, and exit with the reason when `path` cannot be written."""
    from connectors.errors import ConfigurationError

    with ended():
        try:
            yield
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
