"""Ports for servers that cannot say which one they took.

They are below those that the system gives out by itself: between our look and the server's start no connection of
somebody else's takes them.
"""

import os
import random
import socket

BELOW = 32_000
RUNS = 8  # of tests at the same time, each in pairs of its own
_RUN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % RUNS


def free_port() -> int:
    """Return a port that is free together with the next, which a broker's controller takes."""
    while True:
        port = random.randrange(10_000, BELOW, 2 * RUNS) + 2 * _RUN
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
