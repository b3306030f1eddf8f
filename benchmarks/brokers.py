"""A Kafka for the benchmarks alone."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.local.kafka.broker import Broker


@contextmanager
def own_kafka() -> Iterator[str]:
    """Run a broker that is gone afterwards, with everything in it."""
    with own_broker() as (bootstrap, _):
        yield bootstrap


@contextmanager
def own_broker() -> Iterator[tuple[str, Path]]:
    """Run a broker that is gone afterwards; yield how to reach it, and the folder with the logs of its topics."""
    with tempfile.TemporaryDirectory(prefix="bench-kafka-") as folder:
        broker = Broker(_free_pair_of_ports(), Path(folder))
        broker.start()
        try:
            yield broker.bootstrap, Path(folder) / "log"
        finally:
            broker.kill()


def _free_pair_of_ports() -> int:
    """Return a port that is free together with the next, which the broker's controller takes."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
