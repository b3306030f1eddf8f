"""What is measured of processes that are attacked: memory, readiness, work done, and what they have written."""

import base64
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from streams.demo.processes import Child

SHOWN = 8  # characters in a row of a secret that may not be shown


@dataclass
class Phase:
    """What was seen in one stretch of time, by process."""

    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)  # most bytes
    looks: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))  # whether it was ready
    work: dict[str, tuple[float, float]] = field(default_factory=dict)  # name -> counted first and last

    def rate(self, name: str) -> float:
        """Return how much was done in a second."""
        first, last = self.work[name]
        return (last - first) / (self.ended - self.began)

    def red(self, name: str) -> float:
        """Return the share of looks at which a process was not ready."""
        looks = self.looks[name]
        return looks.count(False) / max(len(looks), 1)


def memory(child: Child) -> int:
    """Return its resident bytes."""
    status = Path(f"/proc/{child.pid}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+)", status)
    return int(found[1]) * 1024 if found else 0


async def ready(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(f"http://{address}/readyz")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def counted(http: httpx.AsyncClient, address: str, sample: str) -> float:
    """Return a sample of a process's metrics."""
    text = (await http.get(f"http://{address}/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(sample))


class Searcher:
    """Finds pieces of secrets, as they are and in base64."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._pieces: dict[bytes, bytes] = {}
        for secret in secrets:
            for form in (secret, *(base64.b64encode(b"x" * shift + secret)[4:-4] for shift in range(3))):
                for at in range(len(form) - SHOWN + 1):
                    self._pieces[form[at : at + SHOWN]] = secret

    def found(self, text: bytes) -> list[bytes]:
        """Return where pieces stand, with what is around them."""
        places, at = [], 0
        while at <= len(text) - SHOWN:
            if text[at : at + SHOWN] in self._pieces:
                places.append(text[max(at - 60, 0) : at + 60])
                at += 200
            at += 1
        return places
