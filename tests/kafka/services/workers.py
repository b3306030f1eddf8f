"""Workers as processes, to be killed, frozen, continued and asked to stop."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from streams.demo.processes import inherited

REPOSITORY = Path(__file__).resolve().parents[3]
WORKER = ("-m", "streams", "worker")
NEVER_MISSED = {"STREAMS_SESSION_TIMEOUT": "60"}  # no busy machine makes a group lose a worker


class Worker:
    """One worker process; `start` again makes a new one in its place.

    `settings` come on top of an environment without our names: no shell or `.env` leads to real systems.
    """

    def __init__(
        self, name: str, folder: Path, settings: dict[str, str], stages: Sequence[str], program: Sequence[str] = WORKER
    ) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self._command = [sys.executable, *program, *stages]
        self._environment = {
            **inherited(),
            "PYTHONPATH": str(REPOSITORY),
            "STREAMS_DATA_DIR": str(self._folder / "data"),
            "STREAMS_SESSION_TIMEOUT": "6",  # the shortest that is allowed
            **settings,
        }
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the process that runs now, or ran last, has written to stderr."""
        return self._folder / f"{self._starts}.log"

    @property
    def logs(self) -> list[Path]:
        """The logs of all its processes so far."""
        return [self._folder / f"{start}.log" for start in range(1, self._starts + 1)]

    @property
    def output(self) -> Path:
        return self._folder / f"{self._starts}.out"

    def start(self) -> "Worker":
        self._starts += 1
        with self.output.open("wb") as output, self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=log, cwd=self._folder, env=self._environment
            )
        return self

    def ready(self, within: float = 120) -> dict[str, Any]:
        """Return the line of JSON that a worker prints when it has partitions."""
        until(lambda: b"\n" in self.output.read_bytes() or not self.runs, within, f"{self.name} ready")
        assert self.runs, self.said(f"{self.name} ended by itself")
        line: dict[str, Any] = orjson.loads(self.output.read_bytes().splitlines()[0])
        return line

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill -9."""
        assert self.runs, self.said(f"{self.name} had ended before it was killed")
        os.kill(self.pid, signal.SIGKILL)
        self.exit_code(within=60)

    def terminate(self) -> int:
        """Ask it to stop (SIGTERM); return its exit code."""
        assert self.runs, self.said(f"{self.name} had ended before it was asked to")
        os.kill(self.pid, signal.SIGTERM)
        return self.exit_code(within=60)  # it ends with another code than 0 when it had no time for order

    def exit_code(self, within: float) -> int:
        assert self._process is not None
        return self._process.wait(within)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """End it in any case."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def said(self, what: str) -> str:
        """Return a sentence for a failed test, with the end of the log."""
        tail = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-25:])
        code = None if self._process is None else self._process.poll()
        return f"{what} (exit code {code}). The end of {self.log}:\n{tail}"


def until(true: Callable[[], object], within: float, what: str) -> None:
    """Wait until `true()`; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.05)


def probe(address: str, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and answer of a worker's health endpoint; status 0 when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, orjson.loads(error.read())
    except OSError:
        return 0, {}
