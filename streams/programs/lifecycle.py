"""How a program begins and ends: signals, the line that says it is ready, and what its exit status means."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from pydantic import SecretStr

from connectors import logs
from connectors.errors import AuthorizationError, ConfigurationError, ConnectorError
from connectors.settings import LogSettings, load, secrets
from streams.topology import settings_models

# Faust names the loggers of our subclasses after our modules, and tells of every step at INFO.
_TALKATIVE = (
    "streams.runtime.app",
    *(f"streams.runtime.driver.{module}" for module in ("consumer_thread", "recovery", "transport")),
)


class Exit(IntEnum):
    """What an exit status means, in every command."""

    DONE = 0  # or stopped by a signal, with nothing left behind
    FAILED = 1  # a crash, a system that does not answer, or a check that found a difference
    REFUSED = 2  # a setting, an argument or a credential is wrong: trying again does not help


class Ended(Exception):
    """A program is over: with this status, and a sentence for standard error unless there is nothing to say."""

    def __init__(self, status: Exit, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status


@contextmanager
def ending() -> Iterator[None]:
    """Turn what an adapter raises into `Ended`."""
    try:
        yield
    except (AuthorizationError, ConfigurationError) as wrong:
        raise Ended(Exit.REFUSED, str(wrong)) from None
    except ConnectorError as failure:
        raise Ended(Exit.FAILED, str(failure)) from None


def log_to_stderr(*more: SecretStr) -> None:
    """Begin to log, as `LOG_LEVEL` says, with every secret of the settings hidden and `more`.

    Raises ConfigurationError.
    """
    logs.configure(level=load(LogSettings).level, secrets=[*secrets(settings_models()), *more], talkative=_TALKATIVE)


def on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM and SIGINT, in the running event loop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def say_ready(parts: Sequence[str], address: str) -> None:
    """Print the one line of JSON that says so: {"ready": [parts], "http": "host:port"}."""
    sys.stdout.write(json.dumps({"ready": list(parts), "http": address}) + "\n")
    sys.stdout.flush()
