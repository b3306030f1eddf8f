"""A worker under measurement: started as users start it, its CPU and memory read from /proc."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from streams.demo.processes import inherited

REPOSITORY = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")  # per second
POLL_SECONDS = 0.01
STOP_SECONDS = 30
JSON_LINE = re.compile(rb"{.*}(?=\n)")  # Faust's spinner writes before and after it


class ProcessFailed(Exception):
    """It died, or was not ready in time; the end of what it said is in the text."""


class Process:
    """Runs while the context lasts, in a folder of its own: no `.env` and none of our settings reach it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        folder = Path(self._folder.name)
        self._output, self._log = folder / "out", folder / "log"
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=folder,
                env={
                    **inherited(),
                    "PYTHONPATH": str(REPOSITORY),
                    "STREAMS_DATA_DIR": str(folder / "state"),
                    **self._environment,
                },
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def kill(self) -> None:
        """Kill -9, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def ready(self, within: float = 60.0) -> dict[str, Any]:
        """Return the line of JSON that it prints when it is ready. Raises ProcessFailed."""
        while (line := JSON_LINE.search(self._output.read_bytes())) is None:
            self.check()
            if self.seconds > within:
                raise ProcessFailed(f"{self} was not ready after {within:g} s. {self._tail()}")
            time.sleep(POLL_SECONDS)
        found: dict[str, Any] = json.loads(line[0])
        return found

    def check(self) -> None:
        """Raise ProcessFailed if it has died."""
        if self._process.poll() is not None:
            raise ProcessFailed(f"{self} died (exit code {self._process.returncode}). {self._tail()}")

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.perf_counter() - self.started

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all its threads, to a hundredth of a second."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS

    @property
    def peak_mb(self) -> float:
        """The most memory that it held (resident set)."""
        return self._memory("VmHWM")

    @property
    def mb(self) -> float:
        """The memory that it holds now (resident set)."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) / 1024

    def __str__(self) -> str:
        return " ".join(Path(part).name for part in self._command)

    def _tail(self) -> str:
        return "It said last:\n" + "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-25:])
