"""Child processes: their logs in files, stopped in order, and reported when they die."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from connectors.settings import NO_EXTENSIONS
from streams.core.contract import StreamsError
from streams.topology import settings_models

SETTINGS = tuple(sorted({str(model.model_config["env_prefix"]) for model in settings_models()}))
TAIL_LINES = 25
POLL_SECONDS = 0.05


def inherited() -> dict[str, str]:
    """Return our environment but for our settings: they may lead to real systems."""
    return {name: value for name, value in os.environ.items() if name == NO_EXTENSIONS or not name.startswith(SETTINGS)}


class ChildError(StreamsError):
    """A child died or did not become ready; the end of its log is in the text."""


class Child:
    """One running `python -m streams ...`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path, log: Path) -> None:
        self.name = name
        self._process = process
        self._output = output
        self._log = log

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> "Child":
        """Start it in `folder`, outside our process group: Ctrl-C is for us to pass on, in order.

        It gets `environment` on top of ours, but none of our settings, nor a `.env`: they may lead to real systems.
        """
        output, log = folder / f"{name}.out", folder / f"{name}.log"
        with output.open("wb") as stdout, log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streams", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env={**inherited(), **environment},
                start_new_session=True,
            )
        return cls(name, process, output, log)

    async def ready(self, within: float) -> dict[str, Any]:
        """Return the line of JSON that it prints when it is ready. Raises ChildError."""
        try:
            async with asyncio.timeout(within):
                while b"\n" not in self._output.read_bytes():
                    self.check()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ChildError(f"{self.name} was not ready after {within:g} s. {self._tail()}") from None
        line: dict[str, Any] = orjson.loads(self._output.read_bytes().splitlines()[0])
        return line

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise ChildError if it has died."""
        if self._process.returncode is not None:
            raise ChildError(f"{self.name} died (exit code {self._process.returncode}). {self._tail()}")

    async def stop(self, within: float) -> None:
        """End it: SIGTERM, SIGKILL after `within` seconds. Raises ChildError if it came to that or it failed."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise ChildError(f"{self.name} did not stop within {within:g} s and was killed. {self._tail()}") from None
        if code not in {0, -signal.SIGTERM}:  # the latter while it was starting
            raise ChildError(f"{self.name} ended with exit code {code}. {self._tail()}")

    def _tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"The end of {self._log}:", *lines])
