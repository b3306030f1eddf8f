"""`connect messaging` that waits a share as long between two attempts. Usage: hasty_connector.py FACTOR."""

import sys
from collections.abc import Iterator

import typer

from connectors.cxone import websocket
from connectors.retry import delays
from streams.cli.connect import messaging


def hasty(factor: float) -> None:
    def shorter(initial: float, longest: float) -> Iterator[float]:
        return delays(initial / factor, longest / factor)

    websocket.delays = shorter  # type: ignore[assignment, attr-defined] # as it has imported it


if __name__ == "__main__":
    hasty(float(sys.argv[1]))
    sys.argv[1:] = []
    typer.run(messaging)
