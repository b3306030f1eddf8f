"""CXone calling the demo's door: `cxone-streams actions`, and its ledger as it grows."""

from pathlib import Path
from typing import Any

import orjson

LEDGER = "calls.jsonl"  # in the folder of the logs
SECRET = "a-secret-of-the-demo"  # noqa: S105 - of a door on this machine, for as long as the demo runs
RATE = 10  # calls a second
FOR_EVER = 86_400  # seconds: CXone calls until it is told to stop


def options(seed: int) -> list[str]:
    """Return what CXone does."""
    shares = ("--dashboards=0.2", "--malformed=0.02", "--redelivered=0.05")
    return [f"--rate={RATE}", f"--seconds={FOR_EVER}", f"--seed={seed}", *shares, "--json"]


class Calls:
    """Follows the ledger at `path`."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def new(self) -> list[dict[str, Any]]:
        """Return the lines that came since the last time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            lines, end, _ = file.read().rpartition(b"\n")
        self._read += len(lines) + len(end)
        return [orjson.loads(line) for line in lines.splitlines()]
