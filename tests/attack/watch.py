"""What is measured of processes that are attacked: memory, readiness, work done, and whose CPU it was."""

import asyncio
import os
import re
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from streams.demo.processes import Child

INTERVAL = 1.0  # seconds between two looks
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a process's readiness. `excused`: it may not know yet that its socket is not one."""

    at: float  # seconds into the phase
    why_not: str | None
    excused: bool = False


@dataclass
class Phase:
    """What was seen in one stretch of time, by process."""

    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)  # most bytes
    looks: dict[str, list[Look]] = field(default_factory=lambda: defaultdict(list))
    work: dict[str, tuple[float, float]] = field(default_factory=dict)  # name -> counted first and last
    ours: float = 0.0  # CPUs that we used on average
    others: float = 0.0  # and everybody else on this machine

    def rate(self, name: str) -> float:
        """Return how much was done in a second."""
        first, last = self.work[name]
        return (last - first) / (self.ended - self.began)

    def red(self, name: str, after: float = 0.0) -> float:
        """Return the share of looks at which a process was not ready, `after` seconds into the phase."""
        looks = [look for look in self.looks[name] if look.at >= after]
        return sum(look.why_not is not None for look in looks) / max(len(looks), 1)

    def reasons(self, name: str) -> list[str]:
        """Return why it was not ready."""
        return sorted({look.why_not for look in self.looks[name] if look.why_not})

    def unfounded(self, name: str, after: float) -> int:
        """Return at how many looks it was ready while it could have known better."""
        return sum(look.why_not is None and not look.excused for look in self.looks[name] if look.at >= after)


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took until all were green, who was last and why, and who is `red` even now and why."""

    took: float
    last: list[str]
    red: dict[str, str]


class Watcher:
    """Looks at processes once a second; raises ChildError when one has ended.

    Args:
        children: by name.
        addresses: of their probes.
        healthy: {name: (process, sample of its metrics)} of what has to go on.
        excused: whether a process may have thought since a moment that its socket is open.
        tell: a line now and then.
    """

    def __init__(
        self,
        children: Mapping[str, Child],
        addresses: Mapping[str, str],
        healthy: Mapping[str, tuple[str, str]],
        excused: Callable[[str, float], bool],
        tell: Callable[[str, Phase], None],
    ) -> None:
        self._children, self._addresses, self._healthy = children, addresses, healthy
        self._excused, self._tell = excused, tell
        alone = httpx.Limits(max_keepalive_connections=0)  # the probes end each connection after ten seconds
        self._http = httpx.AsyncClient(timeout=15, trust_env=False, limits=alone)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def watch(self, title: str, seconds: float) -> Phase:
        """Look for so long."""
        first, cpu = await self._counted(), _cpu(self._children.values())
        phase = Phase()
        told = phase.began
        while time.monotonic() - phase.began < seconds:
            for name, child in self._children.items():
                child.check()
                phase.memory[name] = max(phase.memory.get(name, 0), _memory(child))
            looks = await asyncio.gather(*(self._look(name, phase.began) for name in self._addresses))
            for name, look in zip(self._addresses, looks, strict=True):
                phase.looks[name].append(look)
            if time.monotonic() - told > 15.0:
                told = time.monotonic()
                self._tell(title, phase)
            await asyncio.sleep(INTERVAL)
        last, phase.ended = await self._counted(), time.monotonic()
        phase.work = {name: (first[name], last[name]) for name in first}
        ours, busy = (after - before for after, before in zip(_cpu(self._children.values()), cpu, strict=True))
        lasted = phase.ended - phase.began
        phase.ours, phase.others = ours / lasted, max(busy - ours, 0.0) / lasted
        return phase

    async def green(self, within: float) -> Recovery:
        """Return who was red last, why and for how many seconds, and who is not ready by then and why."""
        began, red = time.monotonic(), dict[str, str]()
        while True:
            looks = await asyncio.gather(*(self._look(name, began) for name in self._addresses))
            before, took = red, time.monotonic() - began
            red = {name: look.why_not for name, look in zip(self._addresses, looks, strict=True) if look.why_not}
            if not red or took > within:
                return Recovery(took, sorted(map(": ".join, before.items())), red)
            await asyncio.sleep(0.25)

    async def metrics(self, process: str) -> str:
        return (await self._http.get(f"http://{self._addresses[process]}/metrics")).text

    async def _look(self, name: str, began: float) -> Look:
        asked = time.monotonic()
        try:
            answer = await self._http.get(f"http://{self._addresses[name]}/readyz")
            why_not = None if answer.status_code == httpx.codes.OK else answer.text
        except httpx.HTTPError as failure:
            why_not = type(failure).__name__
        return Look(asked - began, why_not, self._excused(name, asked))

    async def _counted(self) -> dict[str, float]:
        """Return the samples of the healthy."""
        texts = {process: await self.metrics(process) for process in {process for process, _ in self._healthy.values()}}
        return {
            name: sum(float(line.rpartition(" ")[2]) for line in texts[process].splitlines() if line.startswith(sample))
            for name, (process, sample) in self._healthy.items()
        }


def _memory(child: Child) -> int:
    """Return its resident bytes."""
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{child.pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _cpu(children: Iterable[Child]) -> tuple[float, float]:
    """Return the CPU seconds that we and our children have used, and all on this machine."""
    used = sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in _WE)
    for child in children:
        used += sum(map(int, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return used, (user + nice + system + irq + softirq + steal) / TICKS


_WE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
