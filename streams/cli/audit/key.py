"""`cxone-streams audit key`: a key that signs heads."""

from pathlib import Path
from typing import Annotated

import typer


def key(
    path: Annotated[Path, typer.Argument(help="File to make, for AUDIT_KEY.", metavar="PEM")],
    *,
    public: Annotated[
        bool, typer.Option("--public", help="Print the public key of a file that is there, and make nothing.")
    ] = False,
) -> None:
    """Make an Ed25519 key that signs the heads of the audit, readable by you alone, and print its public key.

    Keep the public key where whoever can write to AUDIT_DIR cannot: `audit verify --key` takes it.
    """
    import os

    from connectors.errors import ConfigurationError
    from streams.cli.ending import ended
    from streams.core.audit.heads import KeyFormatError, new_key, public_key, public_pem

    with ended():
        try:
            if public:
                pem = public_pem(public_key(path.read_bytes()))
            else:
                private, pem = new_key()
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
                    file.write(private)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already: a key is not written over") from None
        except (OSError, KeyFormatError) as wrong:
            raise ConfigurationError(f"{path}: {wrong}") from None
    typer.echo(pem.decode(), nl=False)
